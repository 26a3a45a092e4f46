//! EHRs that take many queries in one Bundle.

use serde_json::json;

use super::fake::{Ehr, Trouble};
use super::{LAKESIDE, STORY, reasons, said, thin};
use crate::clients::{bearer, two_clients};
use crate::harness::{Answer, Server, fixture};

const SIGN: &str = "/crd/2.2/cds-services/order-sign-coverage";

/// A call of `harbor`, whose EHR is registered as one that takes batches.
fn call(ehr: &Ehr, request: String) -> Answer {
    let registered = format!("fhir_servers = [\"{}\"]\nfhir_batch = true\n", ehr.origin);
    let settings = "ehr_budget_ms = 2000\n";
    let server =
        Server::configured(|folder| format!("{settings}{}{registered}", two_clients(folder)));
    let posting = server.posting(SIGN, "application/json", request);
    server.send(posting.header("authorization", bearer("harbor", SIGN)))
}

fn full(ehr: &Ehr) -> Vec<(String, String)> {
    said(&Server::start().sign("2.2", fixture(STORY).replace(LAKESIDE, &ehr.base())))
}

#[test]
fn a_call_is_two_bundles_what_it_lacks_and_what_that_points_at() {
    let ehr = Ehr::sound(STORY);
    let answer = call(&ehr, thin(STORY, &ehr, &[]).to_string());
    assert_eq!(said(&answer), full(&ehr));
    assert_eq!(ehr.asked().iter().map(|it| &*it.path).collect::<Vec<_>>(), ["/fhir", "/fhir"]);
    assert!(ehr.asked().iter().all(|it| it.token.is_some()));
}

#[test]
fn a_server_that_does_not_answer_the_bundle_is_asked_one_by_one() {
    let outcome = json!({"resourceType": "OperationOutcome", "issue": []});
    for trouble in [
        Trouble::Status(400),
        Trouble::Status(500),
        Trouble::Hang,
        Trouble::Text("<html></html>".to_owned()),
        Trouble::Text(outcome.to_string()),
        Trouble::Text(json!({"resourceType": "Bundle", "type": "batch-response"}).to_string()),
    ] {
        let rule = trouble.clone();
        let ehr = Ehr::of(STORY, move |local| (local == "batch").then(|| rule.clone()));
        let answer = call(&ehr, thin(STORY, &ehr, &[]).to_string());
        assert_eq!(said(&answer), full(&ehr), "{trouble:?}");
    }
}

#[test]
fn each_query_of_a_bundle_is_answered_and_read_on_by_itself() {
    let of_conditions = |trouble: Trouble| {
        let ehr = Ehr::of(STORY, move |local| {
            (local.starts_with("Condition?patient")).then(|| trouble.clone())
        });
        let answer = call(&ehr, thin(STORY, &ehr, &[]).to_string());
        (ehr, answer)
    };
    let (ehr, answer) = of_conditions(Trouble::PageAt("Condition?page=2".to_owned()));
    assert_eq!(said(&answer), full(&ehr));
    assert!(ehr.paths().contains(&"Condition?page=2".to_owned()), "{:?}", ehr.paths());
    for (status, is_technical) in [(500, true), (404, false)] {
        let (_, answer) = of_conditions(Trouble::Status(status));
        let reasons = reasons(&answer);
        let technical = reasons.iter().any(|(code, _)| code == "technical");
        assert_eq!(technical, is_technical, "{status} {reasons:?}");
    }
}
