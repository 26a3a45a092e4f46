//! `priorauth import`: what is refused and how it is told, and that a file counts as a whole.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::{comes_true, repository, texts};

/// A folder with a store and files to import into it.
struct Place {
    folder: TempDir,
}

/// How an import ended, and what it said on stderr and stdout.
struct Ended {
    code: i32,
    refused: Vec<String>,
    said: String,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, options: &[&str], files: &[&Path]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_priorauth"));
        command.args(["import", "--data"]).arg(self.data()).args(options).args(files);
        command
    }

    fn import(&self, options: &[&str], files: &[&Path]) -> Ended {
        let output = self.command(options, files).output().unwrap();
        let folder = self.folder.path().display().to_string();
        let refused = String::from_utf8(output.stderr).unwrap().replace(&folder, "");
        Ended {
            code: output.status.code().unwrap(),
            refused: refused.lines().map(|line| line.trim_start_matches('/').to_owned()).collect(),
            said: String::from_utf8(output.stdout).unwrap(),
        }
    }

    fn texts(&self, query: &'static str) -> Vec<String> {
        texts(&self.data(), query)
    }

    /// Everything that counts, in words.
    fn held(&self) -> Vec<String> {
        self.texts(
            "SELECT record_key || coalesce(member_id || birth_date || coalesce(line, '')
                 || coalesce(valid_to, ''), '') AS it
             FROM held_record JOIN enrolment USING (record_key, import_id)
             UNION ALL
             SELECT record_key || npi || code || coalesce(valid_to, '')
             FROM held_record JOIN directory_entry USING (record_key, import_id)
             UNION ALL
             SELECT record_key || member_id || resource
             FROM held_record JOIN billed_claim USING (record_key, import_id) ORDER BY it",
        )
    }

    /// How many rows there are, whether they count or not.
    fn rows(&self) -> Vec<String> {
        self.texts(
            "SELECT (SELECT count(*) FROM payer_record) || ' ' || (SELECT count(*) FROM enrolment)
                 || ' ' || (SELECT count(*) FROM directory_entry)
                 || ' ' || (SELECT count(*) FROM billed_claim)",
        )
    }
}

fn fixtures(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| repository().join("fixtures/import").join(name)).collect()
}

const ALL: [&str; 6] = [
    "members.csv",
    "providers.csv",
    "roster.ndjson",
    "claims-pembrolizumab.ndjson",
    "claims-earlier-dose.ndjson",
    "directory.ndjson",
];

const MEMBERS: &str = "member_id,birth_date,line,valid_from,valid_to\n";
const PROVIDERS: &str = "npi,name,taxonomy,valid_from,valid_to\n";

/// A claim of one member, known by a number.
fn claim(number: usize) -> String {
    format!(
        r#"{{"resourceType":"ExplanationOfBenefit","id":"e-{number}","status":"active","use":"claim","insurance":[{{"coverage":{{"reference":"Coverage/c"}}}}],"item":[{{"sequence":1}}]}}"#
    )
}

const COVERAGE: &str = r#"{"resourceType":"Coverage","id":"c","status":"active","subscriberId":"M-1","beneficiary":{"reference":"Patient/p"}}"#;

#[test]
fn importing_twice_changes_nothing() {
    let place = Place::new();
    let files = fixtures(&ALL);
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let first = place.import(&[], &files);
    assert_eq!((first.code, first.refused.as_slice()), (0, [].as_slice()));
    let (held, rows) = (place.held(), place.rows());
    assert_eq!(held.len(), 4 + 2 + 1 + 2 + 1 + 1, "{held:#?}");
    assert_eq!(place.import(&[], &files).code, 0);
    assert_eq!((place.held(), place.rows()), (held, rows));
}

#[test]
fn files_of_one_call_see_each_others_coverages_in_any_order() {
    let place = Place::new();
    let claims = place.file("claims.ndjson", claim(1));
    let coverages = place.file("coverages.ndjson", COVERAGE);
    let alone = place.import(&[], &[&claims]);
    assert_eq!(alone.code, 2);
    assert!(alone.refused[0].starts_with("claims.ndjson:1: it leads to no member"));
    assert_eq!(place.import(&[], &[&claims, &coverages]).code, 0);
    assert_eq!(place.texts("SELECT member_id FROM billed_claim"), ["M-1"]);
    // A Coverage without its Patient is no row of the roster.
    assert!(place.texts("SELECT member_id FROM enrolment").is_empty());
}

#[test]
fn a_contained_coverage_and_a_member_number_lead_to_the_member_too() {
    let place = Place::new();
    let contained = r##"{"resourceType":"ExplanationOfBenefit","id":"1","status":"active","use":"claim","contained":[{"resourceType":"Coverage","id":"k","subscriberId":"M-7"}],"insurance":[{"coverage":{"reference":"#k"}}]}"##;
    let by_patient = r#"{"resourceType":"Claim","id":"2","status":"active","use":"claim","patient":{"reference":"https://claims.test/fhir/Patient/p/_history/3"}}"#;
    let file = place.file("x.ndjson", format!("{contained}\n{by_patient}\n{COVERAGE}\n"));
    assert_eq!(place.import(&[], &[&file]).code, 0);
    let members = place.texts("SELECT member_id FROM billed_claim ORDER BY record_key");
    assert_eq!(members, ["M-1", "M-7"]);
}

#[test]
fn coverage_and_patient_of_different_members_are_nobodys_claim() {
    let place = Place::new();
    let other = COVERAGE.replace("\"c\"", "\"d\"").replace("M-1", "M-2").replace("/p", "/q");
    let mixed = claim(1).replace("\"item\"", r#""patient":{"reference":"Patient/q"},"item""#);
    let file = place.file("x.ndjson", format!("{COVERAGE}\n{other}\n{mixed}\n"));
    let ended = place.import(&[], &[&file]);
    assert_eq!(ended.code, 1);
    assert_eq!(ended.refused, ["x.ndjson:3: its coverage and patient lead to several members"]);
}

#[test]
fn every_line_that_cannot_be_used_is_told_without_what_stands_in_it() {
    let place = Place::new();
    let good = claim(1);
    let broken = good.get(..good.len() / 2).unwrap();
    let twice = good.replace("\"use\"", "\"id\":\"SECRET\",\"use\"");
    let preauthorization = good.replace("\"claim\"", "\"preauthorization\"");
    let patient = r#"{"resourceType":"Patient","id":"p","birthDate":"1957-02-30"}"#;
    let stranger = r#"{"resourceType":"Observation","id":"SECRET"}"#;
    let npi = r#"{"resourceType":"Practitioner","id":"d","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1555001010"}]}"#;
    let dated =
        claim(2).replace("\"sequence\":1", "\"sequence\":1,\"servicedDate\":\"2026-02-30\"");
    let backwards = COVERAGE.replace("\"c\"", "\"b\"").replace(
        "\"status\"",
        "\"period\":{\"start\":\"2026-02-01\",\"end\":\"2026-01-01\"},\"status\"",
    );
    let lines = [
        COVERAGE,
        good.as_str(),
        good.as_str(),
        twice.as_str(),
        preauthorization.as_str(),
        patient,
        stranger,
        npi,
        dated.as_str(),
        backwards.as_str(),
        "",
        "SECRET",
        broken,
    ];
    let file = place.file("x.ndjson", lines.join("\n"));
    let ended = place.import(&[], &[&file]);
    assert_eq!(ended.code, 1);
    let mut told = ended.refused.clone();
    told.sort_by_key(|line| line.split(':').nth(1).unwrap().parse::<u32>().unwrap());
    let reasons = [
        "3: the same record stands in an earlier line",
        "4: it cannot be read: the member stands twice",
        "5: it bills nothing",
        "6: the birth date is no date",
        "7: resources of this type are not imported",
        "8: the check digit of the NPI is wrong",
        "9: a date of service is no date",
        "10: its period ends before it begins",
        "12: it cannot be read",
        "13: it cannot be read",
    ];
    assert_eq!(told.len(), reasons.len(), "{told:#?}");
    for (line, reason) in told.iter().zip(reasons) {
        assert!(line.starts_with(&format!("x.ndjson:{reason}")), "{line}");
        assert!(!line.contains("SECRET") && !line.contains("1957") && !line.contains("M-1"));
    }
    assert!(ended.said.contains("2 lines used, 10 refused"), "{}", ended.said);
    assert_eq!(place.held().len(), 1);
}

#[test]
fn rows_with_impossible_values_are_refused_at_their_line() {
    let place = Place::new();
    let members = place.file(
        "m.csv",
        format!("{MEMBERS}M-1,1957-02-28,ma-hmo,2026-01-01,\nM-2,1957-13-01,ma-hmo,2026-01-01,\n"),
    );
    let providers =
        place.file("p.csv", format!("{PROVIDERS}1555001010,Ada,207RX0202X,2024-01-01,\n"));
    let other = place.file("o.csv", "member_id;birth_date\nM-1;1957\n");
    let ended = place.import(&[], &[&members, &providers, &other]);
    assert_eq!(ended.code, 1);
    assert_eq!(ended.refused.len(), 3, "{:#?}", ended.refused);
    assert_eq!(ended.refused[0], "m.csv:3: the birth date is no date");
    assert_eq!(ended.refused[1], "p.csv:2: the check digit of the NPI is wrong");
    assert!(ended.refused[2].starts_with("o.csv:1: ") && ended.refused[2].contains("columns"));
    assert_eq!(place.held().len(), 1);
}

#[test]
fn a_strict_import_takes_nothing_of_a_file_with_a_bad_line() {
    let place = Place::new();
    let bad =
        place.file("bad.csv", format!("{MEMBERS}M-1,1957,,2026-01-01,\nM-2,no,,2026-01-01,\n"));
    let good = place.file("good.csv", format!("{MEMBERS}M-3,1957,,2026-01-01,\n"));
    let ended = place.import(&["--strict"], &[&bad, &good]);
    assert_eq!(ended.code, 1);
    assert_eq!(place.texts("SELECT member_id FROM enrolment"), ["M-3"]);
    assert_eq!(place.import(&["--strict"], &[&bad]).code, 2);
}

#[test]
fn files_that_are_none_of_ours_are_told_and_nothing_is_done() {
    let place = Place::new();
    let empty = place.file("empty.csv", "");
    let missing = place.folder.path().join("missing.csv");
    let ended = place.import(&[], &[&empty, &missing, place.folder.path()]);
    assert_eq!((ended.code, ended.refused.len()), (2, 3), "{:?}", ended.refused);
}

#[test]
fn a_line_of_a_hundred_megabytes_is_refused_and_the_next_is_used() {
    let place = Place::new();
    let path = place.folder.path().join("long.ndjson");
    let mut file = fs::File::create(&path).unwrap();
    writeln!(file, "{COVERAGE}").unwrap();
    write!(file, r#"{{"resourceType":"ExplanationOfBenefit","note":""#).unwrap();
    for _ in 0..100 {
        file.write_all(&vec![b'x'; 1024 * 1024]).unwrap();
    }
    writeln!(file, "\"}}\n{}", claim(1)).unwrap();
    drop(file);
    let ended = place.import(&[], &[&path]);
    assert_eq!(ended.code, 1);
    assert_eq!(ended.refused.len(), 1);
    assert!(ended.refused[0].starts_with("long.ndjson:2: it is longer than the limit"));
    assert_eq!(place.held().len(), 1);
}

#[test]
fn a_kill_leaves_everything_or_nothing_of_a_file() {
    let place = Place::new();
    let before = place.file("before.ndjson", format!("{COVERAGE}\n{}\n", claim(1)));
    assert_eq!(place.import(&[], &[&before]).code, 0);
    let held = place.held();
    let many: Vec<String> = (0..20_000).map(|number| claim(number) + " ").collect();
    let file = place.file("many.ndjson", format!("{COVERAGE}\n{}\n", many.join("\n")));
    let mut command = place.command(&[], &[&file]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let is_halfway = || {
        let count = place.texts("SELECT CAST(count(*) AS TEXT) FROM payer_record");
        count[0].parse::<u32>().unwrap() > 1_000
    };
    assert!(comes_true(is_halfway), "the import does not get on");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(place.texts("SELECT state FROM payer_import WHERE state = 'open'"), ["open"]);
    assert_eq!(place.held(), held);
    // The next import clears away what was left, and counts as a whole.
    assert_eq!(place.import(&[], &[&file]).code, 0);
    assert_eq!(place.held().len(), 20_000);
    assert_eq!(place.rows(), ["20000 0 0 20000"]);
}

#[test]
fn what_a_later_file_says_takes_the_place_of_what_was_said() {
    let place = Place::new();
    let patient = r#"{"resourceType":"Patient","id":"p","birthDate":"1957-02-28"}"#;
    let first = place.file("first.ndjson", format!("{COVERAGE}\n{patient}\n"));
    assert_eq!(place.import(&[], &[&first]).code, 0);
    assert_eq!(place.held(), ["Coverage/c|M-11957-02-28"]);
    let off = place
        .file("off.ndjson", format!("{}\n{patient}\n", COVERAGE.replace("active", "cancelled")));
    assert_eq!(place.import(&[], &[&off]).code, 0);
    assert!(place.held().is_empty());
    // The same resource of another system is another record.
    assert_eq!(place.import(&["--source", "east"], &[&first]).code, 0);
    assert_eq!(place.held(), ["Coverage/c|eastM-11957-02-28"]);
}

#[test]
fn an_inactive_role_takes_its_specialties_back() {
    let place = Place::new();
    let role = |active: bool| {
        format!(
            r#"{{"resourceType":"PractitionerRole","id":"r","active":{active},"period":{{"end":"2027-06"}},"practitioner":{{"identifier":{{"system":"http://hl7.org/fhir/sid/us-npi","value":"1555001019"}}}},"specialty":[{{"coding":[{{"system":"http://nucc.org/provider-taxonomy","code":"207RX0202X"}}]}}]}}"#
        )
    };
    let active = place.file("active.ndjson", role(true));
    assert_eq!(place.import(&[], &[&active]).code, 0);
    // Of an imprecise end the first day counts.
    assert_eq!(place.held(), ["PractitionerRole/r|1555001019207RX0202X2027-06-01"]);
    let inactive = place.file("inactive.ndjson", role(false));
    assert_eq!(place.import(&[], &[&inactive]).code, 0);
    assert!(place.held().is_empty());
}

#[test]
fn two_imports_into_one_folder_wait_for_each_other() {
    let place = Place::new();
    let file = place.file("m.csv", format!("{MEMBERS}M-1,1957,,2026-01-01,\n"));
    assert_eq!(place.import(&[], &[&file]).code, 0);
    let lock = fs::File::open(place.data().join("import.lock")).unwrap();
    lock.lock().unwrap();
    let ended = place.import(&[], &[&file]);
    assert_eq!(ended.code, 2);
    assert!(ended.refused[0].contains("another import"), "{:?}", ended.refused);
    lock.unlock().unwrap();
    assert_eq!(place.import(&[], &[&file]).code, 0);
}
