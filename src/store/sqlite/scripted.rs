//! What sandbox scenarios ask of the store.

use super::{SqliteStore, cases};
use crate::store::CaseSummary;

impl SqliteStore {
    pub(super) async fn read_pended_of(
        &self,
        members: &[&str],
        limit: u32,
    ) -> sqlx::Result<Vec<CaseSummary>> {
        let mut query = sqlx::QueryBuilder::new(
            "SELECT * FROM prior_auth_case WHERE state = 'pended' AND member_id IN (",
        );
        let mut listed = query.separated(", ");
        for member in members {
            listed.push_bind(*member);
        }
        query.push(") ORDER BY changed_at_ms, case_id LIMIT ").push_bind(limit);
        let rows = query.build().fetch_all(&self.readers).await?;
        rows.iter().map(cases::summary_from).collect()
    }
}
