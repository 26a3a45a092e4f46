//! What every store promises, as checks that each implementation runs on an empty store.

mod assertions;
mod outbox;
mod payer;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::store::{
    AnswerRecord, Answered, Authorization, AuthorizationRow, CaseId, CaseState, Cause,
    ContentDigest, FurtherSubmission, Likeness, LineRecord, NextAnswer, NumberSeries,
    PolicyEdition, Saved, Store, StoreError, SubmissionKey, SubmissionRecord,
};

/// Makes one test of each check. `$open` opens an empty store and returns it after a guard that
/// keeps it alive.
macro_rules! store_contract {
    ($open:path) => {
        $crate::store::contract::store_contract! { $open:
            a_stored_case_is_read_back_as_it_was_given,
            a_repeat_within_the_window_gets_the_stored_answer,
            a_repeat_at_the_end_of_the_window_or_later_is_a_new_case,
            without_a_window_nothing_is_a_repeat,
            another_client_or_other_content_is_no_repeat,
            a_repeat_gets_the_current_answer_once_the_case_moved_on,
            of_identical_submissions_at_the_same_time_one_is_stored,
            a_further_submission_is_the_cases_newest_and_its_repeat_is_known,
            cases_are_found_by_member_and_by_number,
            what_is_due_first_comes_first,
            numbers_never_repeat,
            a_number_belongs_to_one_case,
            a_submission_that_is_refused_leaves_nothing,
            a_review_of_an_answer_that_no_longer_holds_is_not_recorded,
            a_review_of_an_unknown_case_is_not_recorded,
            only_pended_cases_wait_and_the_oldest_comes_first,
            pended_cases_of_members_are_found,
            only_current_authorizations_of_the_member_are_found,
            the_same_identifier_with_other_content_is_similar,
            a_hook_call_is_stored_with_all_its_assertions,
            a_hook_call_that_is_refused_leaves_nothing,
            what_an_assertion_rests_on_is_read_back,
            what_each_answer_to_a_case_rests_on_is_read_back,
            feedback_is_counted_by_card_and_reason_and_once,
            what_was_received_is_read_page_by_page,
            a_closed_store_says_so,
            what_is_imported_is_held_for_its_member_and_provider,
            an_import_counts_when_it_is_finished_and_not_before,
            a_later_record_with_the_same_key_takes_the_place,
            a_key_that_stands_twice_in_an_import_is_told,
            an_abandoned_import_leaves_nothing,
            more_than_is_read_for_one_decision_is_told,
        }
    };
    ($open:path: $($claim:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let (_guard, store) = $open().await;
                $crate::store::contract::$claim(store).await;
            }
        )*
    };
}
pub(crate) use assertions::*;
pub(crate) use outbox::*;
pub(crate) use payer::*;
pub(crate) use store_contract;

/// The length of the window in these checks.
const WINDOW: Duration = Duration::from_hours(24);

/// A time of these checks: `ms` after an arbitrary start.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_772_000_000_000 + ms).unwrap()
}

pub(crate) fn case_id(text: &str) -> CaseId {
    CaseId::parse(text).unwrap()
}

/// The digest that stands for a content: one hexadecimal digit, repeated.
fn digest(digit: char) -> ContentDigest {
    ContentDigest::parse(&digit.to_string().repeat(64)).unwrap()
}

fn line(sequence: u32) -> LineRecord {
    LineRecord {
        sequence,
        product_key: "lifileucel".into(),
        policy: Some(PolicyEdition {
            policy_id: "amtagvi".into(),
            edition: "2026-01-01".parse().unwrap(),
        }),
        determination: "pend".into(),
        review_action: "A4".into(),
        authorization: None,
        reference_number: None,
        trace: r#"{"findings":[]}"#.into(),
    }
}

pub(crate) fn approved(sequence: u32, number: &str) -> LineRecord {
    LineRecord {
        determination: "approve".into(),
        review_action: "A1".into(),
        authorization: Some(Authorization {
            number: number.into(),
            given_on: "2026-03-01".parse().unwrap(),
            valid_from: "2026-03-01".parse().unwrap(),
            valid_to: "2026-08-31".parse().unwrap(),
        }),
        ..line(sequence)
    }
}

fn answer(response: &str, ms: i64, lines: Vec<LineRecord>) -> AnswerRecord {
    let waits = lines.iter().any(|line| line.authorization.is_none());
    AnswerRecord {
        guide: "pas-2.2.1".into(),
        response: response.into(),
        given_at: at(ms),
        state: if waits { CaseState::Pended } else { CaseState::Decided },
        lines,
    }
}

/// A submission of one pended line, received at `ms`.
pub(crate) fn submission(case: &str, content: char, ms: i64) -> SubmissionRecord {
    SubmissionRecord {
        key: SubmissionKey {
            client: "lakeside".into(),
            digest: digest(content),
            received_at: at(ms),
            repeat_window: WINDOW,
        },
        bundle_identifier: Some("https://ehr.lakeside.test/bundles|A12345".into()),
        claim_identifier: Some("https://ehr.lakeside.test/claims|C-1".into()),
        body: r#"{"resourceType":"Bundle"}"#.into(),
        case_id: case_id(case),
        member_id: "M-100".into(),
        due_at: None,
        judged_after: None,
        inputs: None,
        answer: answer(&format!("answer to {case}"), ms, vec![line(1)]),
    }
}

async fn store_all<const N: usize>(store: &dyn Store, records: [SubmissionRecord; N]) {
    for record in records {
        assert_eq!(store.save_submission(&record).await.unwrap(), Saved::Stored);
    }
}

/// What a submission of the same content as `submission("first", 'a', 0)` comes to, `ms` later.
async fn repeated_after(store: &dyn Store, ms: i64) -> Option<String> {
    let again = submission("second", 'a', ms);
    let found = store.find_repeat(&again.key).await.unwrap();
    match store.save_submission(&again).await.unwrap() {
        Saved::Stored => {
            assert_eq!(found, None);
            None
        }
        Saved::AlreadyThere(answer) => {
            assert_eq!(found.as_ref(), Some(&answer));
            assert_eq!(store.case(&again.case_id).await.unwrap(), None);
            assert_eq!(answer.case_id, case_id("first"));
            Some(answer.response)
        }
        Saved::JudgedTooEarly => panic!("it rests on nothing"),
    }
}

fn window_ms() -> i64 {
    WINDOW.as_millis().try_into().unwrap()
}

pub(crate) async fn a_stored_case_is_read_back_as_it_was_given(store: Arc<dyn Store>) {
    let mut record = submission("first", 'a', 0);
    let unjudged = LineRecord {
        policy: None,
        determination: "not-subject".into(),
        reference_number: Some("R-1".into()),
        ..line(2)
    };
    record.answer = answer("both", 5, vec![unjudged.clone(), approved(1, "A-1")]);
    store_all(&*store, [record.clone()]).await;

    let file = store.case(&record.case_id).await.unwrap().unwrap();
    assert_eq!(file.summary.member_id, "M-100");
    assert_eq!((file.summary.opened_at, file.summary.changed_at), (at(0), at(5)));
    assert_eq!((file.state, file.summary.current_answer), (CaseState::Pended, 1));
    assert_eq!((file.answer.response.as_str(), file.answer.given_at), ("both", at(5)));
    assert_eq!(file.lines, [approved(1, "A-1"), unjudged]);
    assert_eq!(file.submission.body, record.body);
    assert_eq!(file.submission.digest, record.key.digest);
    assert_eq!(file.submission.guide, "pas-2.2.1");
    assert_eq!(file.submission.claim_identifier, record.claim_identifier);
    store.ready().await.unwrap();
}

pub(crate) async fn a_repeat_within_the_window_gets_the_stored_answer(store: Arc<dyn Store>) {
    store_all(&*store, [submission("first", 'a', 0)]).await;
    for ms in [0, 1, window_ms() - 1] {
        let answer = repeated_after(&*store, ms).await;
        assert_eq!(answer.as_deref(), Some("answer to first"), "after {ms} ms");
    }
}

pub(crate) async fn a_repeat_at_the_end_of_the_window_or_later_is_a_new_case(
    store: Arc<dyn Store>,
) {
    store_all(&*store, [submission("first", 'a', 0)]).await;
    assert_eq!(repeated_after(&*store, window_ms()).await, None);
    let third = submission("third", 'a', 2 * window_ms() + 1);
    assert_eq!(store.save_submission(&third).await.unwrap(), Saved::Stored);
}

pub(crate) async fn without_a_window_nothing_is_a_repeat(store: Arc<dyn Store>) {
    let (mut first, mut second) = (submission("first", 'a', 0), submission("second", 'a', 0));
    first.key.repeat_window = Duration::ZERO;
    second.key.repeat_window = Duration::ZERO;
    store_all(&*store, [first, second.clone()]).await;
    assert_eq!(store.find_repeat(&second.key).await.unwrap(), None);
}

pub(crate) async fn another_client_or_other_content_is_no_repeat(store: Arc<dyn Store>) {
    let mut other_client = submission("second", 'a', 1);
    other_client.key.client = "harbor".into();
    store_all(&*store, [submission("first", 'a', 0), other_client, submission("third", 'b', 1)])
        .await;
}

fn review(case: &str, seen_answer: u32, lines: Vec<LineRecord>) -> NextAnswer {
    NextAnswer {
        case_id: case_id(case),
        seen_answer,
        cause: Cause::Review("nurse-7".into()),
        answer: answer("reviewed", 100, lines),
        notice: None,
    }
}

pub(crate) async fn a_repeat_gets_the_current_answer_once_the_case_moved_on(store: Arc<dyn Store>) {
    store_all(&*store, [submission("first", 'a', 0)]).await;
    let decided = review("first", 1, vec![approved(1, "A-1")]);
    assert_eq!(store.save_answer(&decided).await.unwrap(), Answered::Recorded(2));

    assert_eq!(repeated_after(&*store, 200).await.as_deref(), Some("reviewed"));
    let file = store.case(&case_id("first")).await.unwrap().unwrap();
    assert_eq!((file.state, file.answer.number), (CaseState::Decided, 2));
    assert_eq!(file.lines, [approved(1, "A-1")]);
}

pub(crate) async fn of_identical_submissions_at_the_same_time_one_is_stored(store: Arc<dyn Store>) {
    let racers: Vec<_> = (0..8)
        .map(|racer| {
            let store = Arc::clone(&store);
            let record = submission(&format!("case-{racer}"), 'a', racer);
            tokio::spawn(async move {
                let saved = store.save_submission(&record).await.unwrap();
                (record.case_id, saved)
            })
        })
        .collect();
    let (mut winners, mut told) = (Vec::new(), HashSet::new());
    for racer in racers {
        match racer.await.unwrap() {
            (case_id, Saved::Stored) => winners.push(case_id),
            (_, Saved::AlreadyThere(answer)) => {
                told.insert(answer.case_id);
            }
            (case_id, Saved::JudgedTooEarly) => panic!("{case_id} rests on nothing"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(told.into_iter().collect::<Vec<_>>(), winners);
    assert_eq!(store.pending_cases(100).await.unwrap().len(), 1);
}

pub(crate) async fn numbers_never_repeat(store: Arc<dyn Store>) {
    assert_eq!(store.reserve_numbers(NumberSeries::Authorization, 1).await.unwrap(), 1..2);
    assert_eq!(store.reserve_numbers(NumberSeries::Reference, 3).await.unwrap(), 1..4);
    assert!(store.reserve_numbers(NumberSeries::Reference, 0).await.unwrap().is_empty());
    let takers: Vec<_> = (0..20)
        .map(|taker| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                store.reserve_numbers(NumberSeries::Authorization, 1 + taker % 3).await.unwrap()
            })
        })
        .collect();
    let mut seen = HashSet::from([1]);
    for taker in takers {
        for number in taker.await.unwrap() {
            assert!(seen.insert(number), "{number} was handed out twice");
        }
    }
}

pub(crate) async fn a_number_belongs_to_one_case(store: Arc<dyn Store>) {
    let mut first = submission("first", 'a', 0);
    first.answer = answer("both lines", 0, vec![approved(1, "A-1"), approved(2, "A-1")]);
    let mut second = submission("second", 'b', 0);
    second.answer = answer("stolen", 0, vec![approved(1, "A-1")]);
    store_all(&*store, [first]).await;
    assert_refused(&store.save_submission(&second).await);
}

async fn authorizations(store: &Arc<dyn Store>) -> Vec<AuthorizationRow> {
    store.payer_facts("M-100", &[]).await.unwrap().authorizations
}

fn assert_refused<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Refused { .. })), "{result:?}");
}

pub(crate) async fn a_submission_that_is_refused_leaves_nothing(store: Arc<dyn Store>) {
    let mut twice_the_same_line = submission("first", 'a', 0);
    twice_the_same_line.answer = answer("x", 0, vec![approved(1, "A-1"), line(2), line(2)]);
    let mut bad_trace = submission("first", 'a', 0);
    bad_trace.answer.lines.push(LineRecord { trace: "{".into(), ..line(2) });
    let mut backwards = submission("first", 'a', 0);
    let mut authorization = approved(1, "A-1");
    if let Some(dates) = &mut authorization.authorization {
        dates.valid_to = "2026-02-28".parse().unwrap();
    }
    backwards.answer.lines = vec![authorization];
    for record in [twice_the_same_line, bad_trace, backwards] {
        assert_refused(&store.save_submission(&record).await);
        assert_eq!(store.case(&record.case_id).await.unwrap(), None);
        assert_eq!(store.find_repeat(&record.key).await.unwrap(), None);
        assert_eq!(authorizations(&store).await, []);
    }

    // Nothing stands in the way of the same case, number and content.
    let mut sound = submission("first", 'a', 0);
    sound.answer = answer("sound", 0, vec![approved(1, "A-1")]);
    store_all(&*store, [sound]).await;
    assert_refused(&store.save_submission(&submission("first", 'b', 0)).await);
    let file = store.case(&case_id("first")).await.unwrap().unwrap();
    assert_eq!((file.answer.response.as_str(), file.submission.digest), ("sound", digest('a')));
}

pub(crate) async fn a_review_of_an_answer_that_no_longer_holds_is_not_recorded(
    store: Arc<dyn Store>,
) {
    store_all(&*store, [submission("first", 'a', 0)]).await;
    let decided = review("first", 1, vec![approved(1, "A-1")]);
    assert_eq!(store.save_answer(&decided).await.unwrap(), Answered::Recorded(2));
    let late = review("first", 1, vec![approved(1, "A-2")]);
    assert_eq!(store.save_answer(&late).await.unwrap(), Answered::MovedOn(2));
    let file = store.case(&case_id("first")).await.unwrap().unwrap();
    assert_eq!(file.lines, [approved(1, "A-1")]);
}

pub(crate) async fn a_review_of_an_unknown_case_is_not_recorded(store: Arc<dyn Store>) {
    let review = review("nowhere", 1, vec![line(1)]);
    assert_eq!(store.save_answer(&review).await.unwrap(), Answered::NoSuchCase);
}

pub(crate) async fn a_further_submission_is_the_cases_newest_and_its_repeat_is_known(
    store: Arc<dyn Store>,
) {
    store_all(&*store, [submission("first", 'a', 0)]).await;
    let more = submission("first", 'b', 10);
    let next = NextAnswer {
        cause: Cause::Submission(Box::new(FurtherSubmission {
            key: more.key.clone(),
            bundle_identifier: more.bundle_identifier,
            claim_identifier: Some("https://ehr.lakeside.test/claims|C-2".into()),
            body: "{}".into(),
            judged_after: None,
            inputs: None,
        })),
        ..review("first", 1, vec![line(1), line(2)])
    };
    assert_eq!(store.save_answer(&next).await.unwrap(), Answered::Recorded(2));

    let file = store.case(&case_id("first")).await.unwrap().unwrap();
    assert_eq!((file.submission.digest, file.lines.len()), (digest('b'), 2));
    let repeat = store.find_repeat(&more.key).await.unwrap().unwrap();
    assert_eq!((repeat.case_id, repeat.number), (case_id("first"), 2));
    for claim in ["C-1", "C-2"] {
        let claim = format!("https://ehr.lakeside.test/claims|{claim}");
        let found = store.case_of_claim("M-100", &claim).await.unwrap();
        assert_eq!(found, Some(case_id("first")));
        assert_eq!(store.case_of_claim("M-200", &claim).await.unwrap(), None);
    }
}

pub(crate) async fn cases_are_found_by_member_and_by_number(store: Arc<dyn Store>) {
    let mut granted = submission("granted", 'a', 20);
    granted.answer = answer("granted", 20, vec![approved(1, "A-1")]);
    let mut other = submission("other", 'b', 30);
    other.member_id = "M-200".into();
    store_all(&*store, [submission("old", 'c', 10), granted, other]).await;

    let found = store.cases_of("M-100", 5).await.unwrap();
    assert_eq!(found, [case_id("granted"), case_id("old")]);
    assert_eq!(store.cases_of("M-100", 1).await.unwrap(), [case_id("granted")]);
    assert_eq!(store.case_of_number("A-1").await.unwrap(), Some(case_id("granted")));
    assert_eq!(store.case_of_number("A-2").await.unwrap(), None);
}

pub(crate) async fn what_is_due_first_comes_first(store: Arc<dyn Store>) {
    let due = |case, content, due_at| {
        let mut record = submission(case, content, 0);
        record.due_at = due_at;
        record
    };
    let records =
        [due("never", 'a', None), due("later", 'b', Some(at(90))), due("soon", 'c', Some(at(50)))];
    store_all(&*store, records).await;
    let waiting = store.pending_cases(5).await.unwrap();
    let ids: Vec<_> = waiting.iter().map(|case| (case.case_id.as_str(), case.due_at)).collect();
    assert_eq!(ids, [("soon", Some(at(50))), ("later", Some(at(90))), ("never", None)]);
}

pub(crate) async fn only_pended_cases_wait_and_the_oldest_comes_first(store: Arc<dyn Store>) {
    let mut decided = submission("decided", 'd', 0);
    decided.answer = answer("decided", 0, vec![approved(1, "A-1")]);
    store_all(
        &*store,
        [
            submission("second", 'b', 20),
            submission("first", 'a', 10),
            decided,
            submission("third", 'c', 30),
        ],
    )
    .await;
    let waiting = store.pending_cases(2).await.unwrap();
    let ids: Vec<_> = waiting.iter().map(|case| case.case_id.as_str()).collect();
    assert_eq!(ids, ["first", "second"]);
}

pub(crate) async fn pended_cases_of_members_are_found(store: Arc<dyn Store>) {
    let of = |member: &str, case, content, ms| {
        let member_id = member.to_owned();
        SubmissionRecord { member_id, ..submission(case, content, ms) }
    };
    let mut decided = of("M-1", "decided", 'd', 0);
    decided.answer = answer("decided", 0, vec![approved(1, "A-1")]);
    let waiting = [of("M-3", "other", 'c', 5), of("M-2", "second", 'b', 20)];
    store_all(&*store, waiting).await;
    store_all(&*store, [decided, of("M-1", "first", 'a', 10)]).await;
    let found = async |members: &[&str], limit| {
        let cases = store.pended_cases_of(members, limit).await.unwrap();
        cases.iter().map(|case| case.case_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(found(&["M-1", "M-2", "M-9"], 9).await, ["first", "second"]);
    assert_eq!(found(&["M-1", "M-2"], 1).await, ["first"]);
    assert_eq!(found(&[], 9).await, [""; 0]);
}

pub(crate) async fn only_current_authorizations_of_the_member_are_found(store: Arc<dyn Store>) {
    let mut mixed = submission("first", 'a', 0);
    mixed.answer = answer("mixed", 0, vec![approved(1, "A-1"), line(2)]);
    let mut other_member = submission("second", 'b', 0);
    other_member.member_id = "M-200".into();
    other_member.answer = answer("approved", 0, vec![approved(1, "A-2")]);
    store_all(&*store, [mixed, other_member]).await;

    let found = authorizations(&store).await;
    assert_eq!(found.len(), 1);
    assert_eq!(Some(&found[0].authorization), approved(1, "A-1").authorization.as_ref());
    assert_eq!(
        (&found[0].case_id, found[0].product_key.as_str()),
        (&case_id("first"), "lifileucel")
    );
    assert_eq!((found[0].client.as_str(), &found[0].digest), ("lakeside", &digest('a')));

    let withdrawn = review("first", 1, vec![line(1), line(2)]);
    assert_eq!(store.save_answer(&withdrawn).await.unwrap(), Answered::Recorded(2));
    assert_eq!(authorizations(&store).await, []);
}

pub(crate) async fn the_same_identifier_with_other_content_is_similar(store: Arc<dyn Store>) {
    let mut same_claim = submission("second", 'b', 1);
    same_claim.bundle_identifier = None;
    let mut unlike = submission("third", 'c', 2);
    unlike.bundle_identifier = None;
    unlike.claim_identifier = None;
    let mut other_client = submission("fourth", 'd', 3);
    other_client.key.client = "harbor".into();
    let likeness = |content, bundle: Option<&str>, claim: Option<&str>| Likeness {
        client: "lakeside".into(),
        digest: digest(content),
        bundle_identifier: bundle.map(str::to_owned),
        claim_identifier: claim.map(str::to_owned),
    };
    let first = submission("first", 'a', 0);
    let (bundle, claim) = (first.bundle_identifier.clone(), first.claim_identifier.clone());
    let (bundle, claim) = (bundle.as_deref(), claim.as_deref());
    store_all(&*store, [first, same_claim, unlike, other_client]).await;

    for (likeness, cases) in [
        (likeness('e', bundle, claim), vec!["second", "first"]),
        (likeness('e', bundle, None), vec!["first"]),
        (likeness('a', bundle, claim), vec!["second"]),
        (likeness('e', None, None), vec![]),
    ] {
        let found = store.similar_submissions(&likeness).await.unwrap();
        assert_eq!(found, cases.into_iter().map(case_id).collect::<Vec<_>>(), "{likeness:?}");
    }
}

pub(crate) async fn what_was_received_is_read_page_by_page(store: Arc<dyn Store>) {
    let sent = [submission("second", 'b', 9), submission("first", 'a', 0)];
    store_all(&*store, sent.clone()).await;
    store.save_hook_call(&hook_call(&["a-1", "a-2"])).await.unwrap();
    store.save_submission(&submission("third", 'c', 1)).await.unwrap();
    // A repeat opens no case and is not stored.
    store.save_submission(&submission("fourth", 'c', 2)).await.unwrap();
    for limit in [1, 2, 3, 50] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.received_requests(after, limit).await.unwrap();
            assert!(page.len() <= usize::try_from(limit).unwrap());
            let Some(last) = page.last() else { break };
            after = Some(last.place);
            found.extend(page);
        }
        let names: Vec<Option<&str>> =
            found.iter().map(|it| it.case_id.as_ref().map(CaseId::as_str)).collect();
        assert_eq!(names, [Some("second"), Some("first"), Some("third"), None], "{limit}");
        assert!(found.is_sorted_by_key(|it| it.place));
        assert_eq!((&found[0].body, found[0].received_at), (&sent[0].body, at(9)));
        assert_eq!((found[3].body.as_str(), found[3].received_at), ("{}", at(7)));
        assert!(matches!(found[3].place, crate::store::RequestPlace::HookCall(_)));
    }
}

pub(crate) async fn a_closed_store_says_so(store: Arc<dyn Store>) {
    store_all(&*store, [submission("first", 'a', 0)]).await;
    store.close().await.unwrap();
    store.close().await.unwrap();
    let closed = store.ready().await;
    assert!(matches!(closed, Err(StoreError::Closed { .. })), "{closed:?}");
    let closed = store.save_submission(&submission("second", 'b', 0)).await;
    assert!(matches!(closed, Err(StoreError::Closed { .. })), "{closed:?}");
}
