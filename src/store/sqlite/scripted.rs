//! What sandbox scenarios ask of the store.

use rusqlite::params;

use super::statement::all;
use super::{SqliteStore, cases, json};
use crate::store::CaseSummary;
use crate::store::error::Fault;

impl SqliteStore {
    pub(super) async fn read_pended_of(
        &self,
        members: &[&str],
        limit: u32,
    ) -> Result<Vec<CaseSummary>, Fault> {
        let members = json(members);
        let reading = move |connection: &_| {
            all(
                connection,
                "SELECT * FROM prior_auth_case
                 WHERE state = 'pended' AND member_id IN (SELECT value FROM json_each(?1))
                 ORDER BY changed_at_ms, case_id LIMIT ?2",
                params![members, limit],
                cases::summary_from,
            )
        };
        self.readers.run(reading).await
    }
}
