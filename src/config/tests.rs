//! Settings files, good and bad.

use std::net::SocketAddr;

use super::*;
use crate::service::scenario::{Ending, Later, Scenario};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse("priorauth.toml", Path::new("/etc/priorauth"), text)
}

/// The text of an error begins with this.
#[track_caller]
fn check_mistake(text: &str, expected: &str) {
    let error = parse(text).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn no_file_and_an_empty_one_say_the_same() {
    assert_eq!(Config::read(None).unwrap(), Config::default());
    assert_eq!(parse("").unwrap(), Config::default());
    assert_eq!(Config::default().max_body_bytes, 10_485_760);
    assert!(!Config::default().sandbox);
}

#[test]
fn every_setting_is_read() {
    let text = r#"
        public_base = "https://pa.lakeside-health.test/prior/"
        max_body_bytes = 2048
        max_concurrent_requests = 7
        request_timeout_ms = 1500
        shutdown_grace_ms = 0
        repeat_window_ms = 60_000
        inquiry_retention_days = 2
        notify_allow = ["https://hooks.lakeside.test:8443"]
        notify_timeout_ms = 2000
        notify_first_retry_ms = 10
        notify_longest_retry_ms = 20
        notify_give_up_after_ms = 0
        notify_at_once = 3
        notify_poll_ms = 40
        ehr_budget_ms = 900
        ehr_parallel = 2
        ehr_queries = 30
        ehr_pages = 4
        ehr_answer_bytes = 5000
        ehr_total_bytes = 6000
        ehr_calls = 7
        profiles = "my-profiles"
        sandbox = true
        scenarios = "tests/scenarios.toml"
        production = false
        log_format = "json"

        [[clients]]
        id = "lakeside"
        issuer = "https://ehr.lakeside.test/cds"
        jku = "https://ehr.lakeside.test/keys"
        key_set = "keys/lakeside.json"
        algorithms = ["RS384"]
        audiences = ["https://old-host.test/cds"]
        replay = "enforce"
        fhir_servers = ["https://fhir.lakeside.test"]
        fhir_batch = true

        [[clients]]
        id = "harbor"
        key_set = "/srv/keys/harbor.json"
    "#;
    let lakeside = ClientSettings {
        id: "lakeside".to_owned(),
        issuer: Some("https://ehr.lakeside.test/cds".to_owned()),
        jku: Some("https://ehr.lakeside.test/keys".to_owned()),
        key_set: PathBuf::from("/etc/priorauth/keys/lakeside.json"),
        algorithms: vec![SigningAlgorithm::Rs384],
        audiences: vec!["https://old-host.test/cds".to_owned()],
        replay: Replay::Enforce,
        reviews: false,
        fhir_servers: vec![Origin::parse("https://fhir.lakeside.test").unwrap()],
        fhir_batch: true,
    };
    let harbor = ClientSettings {
        id: "harbor".to_owned(),
        issuer: None,
        jku: None,
        key_set: PathBuf::from("/srv/keys/harbor.json"),
        algorithms: SigningAlgorithm::ALL.to_vec(),
        audiences: Vec::new(),
        replay: Replay::LogOnly,
        reviews: false,
        fhir_servers: Vec::new(),
        fhir_batch: false,
    };
    let expected = Config {
        public_base: Some("https://pa.lakeside-health.test/prior".to_owned()),
        max_body_bytes: 2048,
        max_concurrent_requests: 7,
        request_timeout: Duration::from_millis(1500),
        shutdown_grace: Duration::ZERO,
        repeat_window: Duration::from_mins(1),
        inquiry_retention: Duration::from_hours(48),
        notify_allow: vec![Origin::parse("https://hooks.lakeside.test:8443").unwrap()],
        notify_timeout: Duration::from_secs(2),
        notify: NotifyTerms {
            first_retry: Duration::from_millis(10),
            longest_retry: Duration::from_millis(20),
            give_up_after: Duration::ZERO,
            at_once: 3,
            poll: Duration::from_millis(40),
        },
        ehr_allow: Vec::new(),
        ehr: EhrLimits {
            budget: Duration::from_millis(900),
            parallel: 2,
            queries: 30,
            pages: 4,
            answer_bytes: 5000,
            total_bytes: 6000,
            calls: 7,
        },
        profiles: Some(PathBuf::from("/etc/priorauth/my-profiles")),
        sandbox: true,
        scenarios: Some(PathBuf::from("/etc/priorauth/tests/scenarios.toml")),
        production: false,
        log_format: LogFormat::Json,
        clients: vec![lakeside, harbor],
    };
    assert_eq!(parse(text).unwrap(), expected);
}

#[test]
fn an_ehr_belongs_to_its_client_and_to_everybody_only_without_clients() {
    let allow = "ehr_allow = [\"http://127.0.0.1:8080\"]\n";
    let client = "[[clients]]\nid = \"lakeside\"\nkey_set = \"k.json\"\n";
    let origin = Origin::parse("http://127.0.0.1:8080").unwrap();
    let registered = |client: &str, takes_batches| {
        vec![Registered { client: client.to_owned(), origins: vec![origin.clone()], takes_batches }]
    };
    let local = registered(Caller::LOCAL_ID, false);
    assert_eq!(parse(allow).unwrap().fhir_servers(), local);
    check_mistake(&format!("{allow}{client}"), "priorauth.toml:1: `ehr_allow` is for development");
    let own = format!("{client}fhir_servers = [\"http://127.0.0.1:8080\"]");
    assert_eq!(parse(&own).unwrap().fhir_servers(), registered("lakeside", false));
    let batch = format!("{own}\nfhir_batch = true");
    assert_eq!(parse(&batch).unwrap().fhir_servers(), registered("lakeside", true));
    let production = format!("production = true\n{own}");
    check_mistake(&production, "priorauth.toml:5: `fhir_servers` are https in production");
    check_mistake("ehr_budget_ms = 10001", "priorauth.toml:1: `ehr_budget_ms` is from 10 to 10000");
}

#[test]
fn production_has_no_sandbox_and_a_sandbox_no_scenarios_by_accident() {
    let excludes = "`production` excludes `sandbox` and `scenarios`";
    check_mistake("sandbox = true\nproduction = true", &format!("priorauth.toml:2: {excludes}"));
    check_mistake(
        "production = true\nscenarios = \"s.toml\"",
        &format!("priorauth.toml:1: {excludes}"),
    );
    check_mistake(
        "\nscenarios = \"s.toml\"",
        "priorauth.toml:2: `scenarios` needs `sandbox = true`",
    );
    assert!(parse("production = true").unwrap().production);
    assert!(parse("production = false\nsandbox = true").unwrap().sandbox);
}

/// Reads a file of scenarios.
fn scenarios(text: &str) -> Result<Scenarios, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenarios.toml");
    std::fs::write(&path, text).unwrap();
    Config { scenarios: Some(path), ..Config::default() }.read_scenarios()
}

#[test]
fn scenarios_are_read_by_member() {
    let text = r#"
        [members.A-1]
        outcome = "approve"
        [members.A-2]
        outcome = "deny"
        reason_codes = ["0V"]
        [members.A-3]
        outcome = "pend"
        finalize = "deny"
        after_seconds = 86400
        reason_codes = ["0V"]
        [members.A-4]
        outcome = "modify"
        quantity = "1.5"
        [members.A-5]
        outcome = "error"
        [members.A-6]
        outcome = "must-support"
        [members.A-7]
        outcome = "pend"
    "#;
    let ending = Ending::Deny { reason_codes: vec!["0V".to_owned()] };
    let later = Later { after: Duration::from_hours(24), ending };
    let expected = [
        Scenario::Approve,
        Scenario::Deny { reason_codes: vec!["0V".to_owned()] },
        Scenario::Pend(Some(later)),
        Scenario::Modify { quantity: "1.5".to_owned() },
        Scenario::Error,
        Scenario::MustSupport,
        Scenario::Pend(None),
    ];
    let expected = (1..).zip(expected).map(|(number, it)| (format!("A-{number}"), it));
    assert_eq!(scenarios(text).unwrap(), Scenarios::new(expected.collect()));
    assert_eq!(Config::default().read_scenarios().unwrap(), Scenarios::default());
}

#[test]
fn a_mistake_in_the_scenarios_is_named_with_its_line() {
    let mistakes = [
        ("members = {}", "1 to 1000 members"),
        ("[members.A]", "missing field `outcome`"),
        ("[members.A]\noutcome = \"grant\"", "unknown variant `grant`"),
        ("[members.A]\noutcome = \"approve\"\nquantity = \"1\"", "unknown field `quantity`"),
        ("[members.A]\noutcome = \"modify\"\nquantity = \"0\"", "`quantity` is a positive"),
        ("[members.A]\noutcome = \"modify\"", "missing field `quantity`"),
        ("[members.A]\noutcome = \"deny\"\nreason_codes = [\"<b>\"]", "a reason code has"),
        ("[members.A]\noutcome = \"pend\"\nafter_seconds = 5", "stand together"),
        ("[members.A]\noutcome = \"pend\"\nfinalize = \"approve\"", "stand together"),
        (
            "[members.A]\noutcome = \"pend\"\nfinalize = \"approve\"\nafter_seconds = 0",
            "`after_seconds` is from 1",
        ),
        (
            "[members.A]\noutcome = \"pend\"\nfinalize = \"deny\"\nafter_seconds = 5",
            "needs `reason_codes`",
        ),
        ("[members.\" \"]\noutcome = \"approve\"", "a member id has"),
    ];
    for (text, what) in mistakes {
        let error = scenarios(text).unwrap_err().to_string();
        assert!(error.contains("scenarios.toml") && error.contains(what), "{text}: {error}");
    }
    let second =
        "[members.A]\noutcome = \"error\"\n[members.B]\noutcome = \"pend\"\nafter_seconds = 5\n";
    let error = scenarios(second).unwrap_err().to_string();
    assert!(error.contains("scenarios.toml:3: "), "{error}");
    let missing = Config { scenarios: Some(PathBuf::from("/nowhere.toml")), ..Config::default() };
    assert!(missing.read_scenarios().unwrap_err().to_string().contains("`/nowhere.toml`"));
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    check_mistake("sandbox = true\n\ntimeout = 5\n", "priorauth.toml:3: unknown field `timeout`");
    let in_client = "[[clients]]\nid = \"x\"\nkey_set = \"x.json\"\nsecret = \"s\"\n";
    check_mistake(in_client, "priorauth.toml:4: unknown field `secret`");
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_line() {
    check_mistake("\nsandbox = \"yes\"", "priorauth.toml:2: invalid type");
    check_mistake("log_format = \"xml\"", "priorauth.toml:1: unknown variant `xml`");
    check_mistake("max_body_bytes = -1", "priorauth.toml:1: ");
    check_mistake("sandbox = \n", "priorauth.toml:1: ");
    let client = "[[clients]]\nid = \"x\"\nkey_set = \"x\"\n";
    check_mistake(
        &format!("{client}algorithms = [\"RS256\"]"),
        "priorauth.toml:4: unknown variant `RS256`",
    );
    check_mistake("[[clients]]\nid = \"x\"", "priorauth.toml:1: missing field `key_set`");
}

#[test]
fn an_origin_has_no_path() {
    check_mistake("notify_allow = [\"https://a.test/hook\"]", "priorauth.toml:1: `notify_allow`: ");
}

#[test]
fn limits_have_limits() {
    let body = "`max_body_bytes` is from 1024 to 268435456";
    check_mistake("\nmax_body_bytes = 1023", &format!("priorauth.toml:2: {body}"));
    check_mistake("max_body_bytes = 268435457", &format!("priorauth.toml:1: {body}"));
    assert_eq!(parse("max_body_bytes = 1024").unwrap().max_body_bytes, 1024);
    assert_eq!(parse("max_body_bytes = 268435456").unwrap().max_body_bytes, 268_435_456);
    for line in [
        "max_concurrent_requests = 0",
        "max_concurrent_requests = 65537",
        "request_timeout_ms = 99",
        "request_timeout_ms = 600001",
        "shutdown_grace_ms = 600001",
        "repeat_window_ms = 2678400001",
        "inquiry_retention_days = 36526",
    ] {
        let name = line.split(' ').next().unwrap();
        check_mistake(line, &format!("priorauth.toml:1: `{name}` is from "));
    }
    let client = "[[clients]]\nid = \"x\"\nkey_set = \"x\"\n";
    assert_eq!(parse(&client.repeat(MAX_CLIENTS)).unwrap().clients.len(), MAX_CLIENTS);
    let expected = format!("priorauth.toml:{}: at most 1000", 3 * MAX_CLIENTS + 2);
    check_mistake(&client.repeat(MAX_CLIENTS + 1), &expected);
}

#[test]
fn a_base_is_a_url_that_paths_can_be_added_to() {
    for base in ["https://a.test", "https://a.test/", "http://127.0.0.1:8080", "https://a.test/x"] {
        let config = parse(&format!("public_base = \"{base}\"")).unwrap();
        assert_eq!(config.created_base(), base.trim_end_matches('/'));
    }
    for base in [
        "",
        "a.test",
        "ftp://a.test",
        "https://",
        "https:///x",
        "https://a.test//",
        "https://a b",
        "https://a.test?x",
        "https://a.test#x",
        "https://me@a.test",
    ] {
        check_mistake(&format!("\npublic_base = \"{base}\""), "priorauth.toml:2: `public_base` is");
    }
}

#[test]
fn the_listen_address_is_called_on_loopback_and_never_created() {
    let loopback: SocketAddr = "127.0.0.1:8080".parse().unwrap();
    let loopback_6: SocketAddr = "[::1]:8080".parse().unwrap();
    let anywhere: SocketAddr = "0.0.0.0:8080".parse().unwrap();
    let bare = Config::default();
    assert_eq!(bare.called_base(loopback), "http://127.0.0.1:8080");
    assert_eq!(bare.called_base(loopback_6), "http://[::1]:8080");
    assert_eq!(bare.called_base(anywhere), "https://payer.priorauth.test");
    assert_eq!(bare.created_base(), "https://payer.priorauth.test");
    let named = parse("public_base = \"https://a.test\"").unwrap();
    assert_eq!(named.called_base(loopback), "https://a.test");
}

/// Reads a settings file with one client whose key set is this text.
fn register(key_set: Option<&[u8]>) -> Result<Clients, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("priorauth.toml");
    std::fs::write(&path, "[[clients]]\nid = \"lakeside\"\nkey_set = \"lakeside.json\"\n").unwrap();
    if let Some(text) = key_set {
        std::fs::write(folder.path().join("lakeside.json"), text).unwrap();
    }
    Config::read(Some(&path)).unwrap().register_clients()
}

#[test]
fn a_bad_key_set_is_named_with_its_client() {
    let error = |key_set| register(key_set).unwrap_err().to_string();
    assert!(error(None).starts_with("client `lakeside`: reading the key set in `"));
    assert!(error(Some(b"\xff\xfe")).starts_with("client `lakeside`: reading the key set in `"));
    assert_eq!(
        error(Some(b"{}")),
        "client `lakeside`: the key set is no JSON Web Key Set (line 1, column 2)"
    );
    let symmetric = br#"{"keys": [{"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}]}"#;
    assert_eq!(error(Some(symmetric)), "client `lakeside`: key `shared` is symmetric (`oct`)");
}

#[test]
fn a_key_set_may_be_as_large_as_its_limit() {
    let of_size = |bytes: u64| vec![b' '; usize::try_from(bytes).unwrap()];
    let just = register(Some(&of_size(MAX_KEY_SET_BYTES))).unwrap_err().to_string();
    assert!(just.contains("is no JSON Web Key Set"), "{just}");
    let over = register(Some(&of_size(MAX_KEY_SET_BYTES + 1))).unwrap_err().to_string();
    assert!(over.ends_with("it is larger than 262144 bytes"), "{over}");
}

#[test]
fn no_client_is_no_registry_and_no_file_is_an_error() {
    assert!(Config::default().register_clients().unwrap().is_empty());
    let error = Config::read(Some(Path::new("/nowhere/priorauth.toml"))).unwrap_err();
    assert!(error.to_string().starts_with("reading the settings in `/nowhere/priorauth.toml`: "));
}
