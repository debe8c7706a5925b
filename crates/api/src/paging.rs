//! Lists come in pages: `limit` and `cursor` in, `pagination` out.

use serde::Serialize;

use crate::cursor::{Cursors, Position, Scope};
use crate::error::Problem;
use crate::input::{self, Fields, Node};
use utoipa::ToSchema;

/// The most rows of one page.
const MAX_LIMIT: i64 = 100;
const DEFAULT_LIMIT: i64 = 20;

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// Rows on it, 1 to 100.
    limit: i64,
    cursor: Option<String>,
}

/// What stands below a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Pagination {
    /// Where the next page begins, for `cursor`; `null` on the last.
    pub(crate) next_cursor: Option<String>,
    /// Whether there is a next page.
    pub(crate) has_more: bool,
}

impl Page {
    /// Reads `limit` and `cursor` from a query.
    pub(crate) fn read(fields: &mut Fields) -> Option<Self> {
        let limit = fields.optional("limit", |node| {
            let limit = input::text(node)?.parse::<i64>().ok();
            limit
                .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                .ok_or_else(|| format!("must be a whole number between 1 and {MAX_LIMIT}"))
        });
        // Any text: what no list of ours made, with a NUL in it or without, is a malformed cursor.
        let cursor = fields.optional("cursor", |node| match node {
            Node::Text(text) => Ok(text.clone()),
            other => Err(format!("must be text, not {}", other.kind())),
        });
        Some(Self {
            limit: limit.or(DEFAULT_LIMIT)?,
            cursor: cursor.value(),
        })
    }

    /// Where it begins: after this row.
    ///
    /// # Errors
    /// 400 for a cursor of another list.
    pub(crate) fn after(
        &self,
        cursors: &Cursors,
        scope: &Scope,
    ) -> Result<Option<Position>, Problem> {
        self.cursor
            .as_ref()
            .map(|cursor| cursors.open(scope, cursor))
            .transpose()
    }

    /// How many rows to load: one more than shown tells whether there is a next page.
    #[must_use]
    pub(crate) const fn rows_to_load(&self) -> i64 {
        self.limit + 1
    }

    /// Cuts the surplus row off, and says how it goes on.
    pub(crate) fn close<T>(
        &self,
        rows: &mut Vec<T>,
        cursors: &Cursors,
        scope: &Scope,
        position: impl FnOnce(&T) -> Position,
    ) -> Pagination {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows
            .last()
            .filter(|_| has_more)
            .map(|last| cursors.seal(scope, position(last)));
        Pagination {
            next_cursor,
            has_more,
        }
    }
}
