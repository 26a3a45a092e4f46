//! What every store promises of what the payer knows itself.

use std::sync::Arc;

use super::at;
use crate::store::{
    BilledClaim, DirectoryEntry, Enrolment, ImportContent, ImportId, ImportRecord, PayerFacts,
    Store, StoreError,
};
use crate::terms::{Npi, When};

const ONCOLOGIST: &str = "1555001019";
const HOSPITAL: &str = "1234567893";

fn npi(text: &str) -> Npi {
    Npi::parse(text).unwrap()
}

fn enrolment(born: &str) -> Enrolment {
    Enrolment {
        birth_date: Some(When::parse(born).unwrap()),
        line: Some("ma-hmo".into()),
        valid_from: Some("2026-01-01".parse().unwrap()),
        valid_to: None,
    }
}

fn member(key: &str, member_id: &str, born: &str) -> ImportRecord {
    let content =
        ImportContent::Enrolment { member_id: member_id.into(), enrolment: enrolment(born) };
    ImportRecord { key: key.into(), content }
}

fn specialty(code: &str) -> DirectoryEntry {
    DirectoryEntry {
        npi: npi(ONCOLOGIST),
        name: Some("Ada Testdoctor".into()),
        system: "http://nucc.org/provider-taxonomy".into(),
        code: code.into(),
        valid_from: None,
        valid_to: Some("2026-12-31".parse().unwrap()),
    }
}

fn claim(number: u32, member_id: &str) -> ImportRecord {
    let name = format!("ExplanationOfBenefit/{number}");
    let claim = BilledClaim { name: name.clone(), resource: format!("{{\"id\": \"{number}\" }}") };
    let content = ImportContent::Claim { member_id: member_id.into(), claim };
    ImportRecord { key: name, content }
}

async fn add(store: &dyn Store, records: &[ImportRecord]) -> ImportId {
    let import = store.begin_import(at(0)).await.unwrap();
    assert_eq!(store.add_to_import(import, records).await.unwrap(), [0_usize; 0]);
    import
}

async fn import(store: &dyn Store, records: &[ImportRecord]) {
    let import = add(store, records).await;
    store.finish_import(import).await.unwrap();
}

async fn facts(store: &dyn Store, member_id: &str) -> PayerFacts {
    store.payer_facts(member_id, &[npi(ONCOLOGIST)]).await.unwrap()
}

fn births(facts: &PayerFacts) -> Vec<String> {
    facts.enrolments.iter().map(|it| it.birth_date.unwrap().to_string()).collect()
}

pub(crate) async fn what_is_imported_is_held_for_its_member_and_provider(store: Arc<dyn Store>) {
    let entries = vec![specialty("207RX0202X"), specialty("207R00000X")];
    let directory =
        ImportRecord { key: "d".into(), content: ImportContent::Directory(entries.clone()) };
    let records = [member("m", "M-1", "1957-02"), directory, claim(1, "M-1"), claim(2, "M-2")];
    import(&*store, &records).await;

    let held = facts(&*store, "M-1").await;
    assert!(held.has_roster && !held.is_cut);
    assert_eq!(held.enrolments, [enrolment("1957-02")]);
    assert_eq!(held.directory, entries);
    let ImportContent::Claim { claim: own, .. } = &records[2].content else { unreachable!() };
    assert_eq!(held.claims, std::slice::from_ref(own));

    let stranger = store.payer_facts("M-3", &[npi(HOSPITAL)]).await.unwrap();
    assert!(stranger.has_roster);
    assert_eq!((stranger.enrolments, stranger.directory, stranger.claims), Default::default());
    let nobody = store.payer_facts("", &[]).await.unwrap();
    assert!(nobody.has_roster && nobody.enrolments.is_empty());
}

pub(crate) async fn an_import_counts_when_it_is_finished_and_not_before(store: Arc<dyn Store>) {
    let open = add(&*store, &[member("m", "M-1", "1957"), claim(1, "M-1")]).await;
    let before = facts(&*store, "M-1").await;
    assert!(!before.has_roster && before.enrolments.is_empty() && before.claims.is_empty());
    store.finish_import(open).await.unwrap();
    let after = facts(&*store, "M-1").await;
    assert!(after.has_roster && after.enrolments.len() == 1 && after.claims.len() == 1);
    // What is finished takes nothing more.
    let error = store.add_to_import(open, &[claim(2, "M-1")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
    assert!(store.finish_import(open).await.is_err());
}

pub(crate) async fn a_later_record_with_the_same_key_takes_the_place(store: Arc<dyn Store>) {
    import(&*store, &[member("m", "M-1", "1957"), claim(1, "M-1"), claim(2, "M-1")]).await;
    let nothing = ImportRecord { key: claim(1, "M-1").key, content: ImportContent::Nothing };
    import(&*store, &[member("m", "M-1", "1958"), nothing]).await;
    for _ in 0..2 {
        let held = facts(&*store, "M-1").await;
        assert_eq!(births(&held), ["1958"]);
        assert_eq!(held.claims.len(), 1);
        assert_eq!(held.claims[0].name, "ExplanationOfBenefit/2");
        // Tidying up changes nothing of it.
        while store.tidy_imports().await.unwrap() {}
    }
    // A record that moved to another member left the first.
    import(&*store, &[member("m", "M-2", "1958")]).await;
    assert!(facts(&*store, "M-1").await.enrolments.is_empty());
    assert_eq!(births(&facts(&*store, "M-2").await), ["1958"]);
}

pub(crate) async fn a_key_that_stands_twice_in_an_import_is_told(store: Arc<dyn Store>) {
    let import = store.begin_import(at(0)).await.unwrap();
    let first = [claim(1, "M-1"), claim(1, "M-2"), claim(2, "M-1")];
    assert_eq!(store.add_to_import(import, &first).await.unwrap(), [1]);
    assert_eq!(store.add_to_import(import, &[claim(2, "M-3")]).await.unwrap(), [0]);
    store.finish_import(import).await.unwrap();
    assert_eq!(facts(&*store, "M-1").await.claims.len(), 2);
    assert!(facts(&*store, "M-2").await.claims.is_empty());
    assert!(facts(&*store, "M-3").await.claims.is_empty());
}

pub(crate) async fn an_abandoned_import_leaves_nothing(store: Arc<dyn Store>) {
    import(&*store, &[claim(1, "M-1")]).await;
    let many: Vec<ImportRecord> = (1..2000).map(|number| claim(number, "M-1")).collect();
    let abandoned = add(&*store, &many).await;
    while store.tidy_imports().await.unwrap() {}
    assert_eq!(facts(&*store, "M-1").await.claims.len(), 1);
    assert!(store.add_to_import(abandoned, &[claim(9, "M-1")]).await.is_err());
    assert!(store.finish_import(abandoned).await.is_err());
    // Its number is not given again: a later import is later.
    import(&*store, &[claim(1, "M-2")]).await;
    assert!(facts(&*store, "M-1").await.claims.is_empty());
}

pub(crate) async fn more_than_is_read_for_one_decision_is_told(store: Arc<dyn Store>) {
    let many: Vec<ImportRecord> = (1..=5_000).map(|number| claim(number, "M-1")).collect();
    import(&*store, &many).await;
    assert!(!facts(&*store, "M-1").await.is_cut);
    import(&*store, &[claim(5_001, "M-1")]).await;
    assert!(facts(&*store, "M-1").await.is_cut);
}
