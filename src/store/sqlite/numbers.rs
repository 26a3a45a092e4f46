//! Numbers that are handed out.
//!
//! They are reserved in the file by the block, on the disk before the first of a block is used: so
//! most requests wait for no commit to get theirs.
//! Each block is twice as large as the one before, so that a process that needs few leaves few
//! unused when it ends.

use std::ops::Range;

use rusqlite::params;
use tokio::sync::Mutex;

use super::statement::one;
use super::{SqliteStore, row};
use crate::store::NumberSeries;
use crate::store::error::Fault;

/// How many are reserved together at most, unless more are asked for.
const MOST_RESERVED: u32 = 64;

/// The numbers of each series that this process has reserved.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    authorization: Mutex<Block>,
    reference: Mutex<Block>,
}

#[derive(Debug, Default)]
struct Block {
    free: Range<u64>,
    /// How many there were at first.
    size: u32,
}

impl SqliteStore {
    /// Whoever finds none left waits for the one that reserves more.
    pub(super) async fn take_numbers(
        &self,
        series: NumberSeries,
        count: u32,
    ) -> Result<Range<u64>, Fault> {
        let block = match series {
            NumberSeries::Authorization => &self.numbers.authorization,
            NumberSeries::Reference => &self.numbers.reference,
        };
        let mut block = block.lock().await;
        let wanted = u64::from(count);
        if block.free.end.saturating_sub(block.free.start) < wanted {
            let size = count.max(block.size.saturating_mul(2).min(MOST_RESERVED));
            let free = self.reserve_block(series, size).await?;
            *block = Block { free, size };
        }
        let first = block.free.start;
        block.free.start = first.saturating_add(wanted);
        Ok(first..block.free.start)
    }

    async fn reserve_block(&self, series: NumberSeries, size: u32) -> Result<Range<u64>, Fault> {
        let reserving = move |connection: &_| {
            one(
                connection,
                "UPDATE number_series SET next_number = next_number + ?1 WHERE series = ?2
                 RETURNING next_number",
                params![size, series.as_str()],
                |row| row::value::<i64>(row, "next_number"),
            )
        };
        let next = self.writer.run(reserving).await?;
        let next = u64::try_from(next).map_err(row::unreadable("next_number"))?;
        Ok(next.saturating_sub(u64::from(size))..next)
    }
}
