//! SQL text with typed binds that is prepared once per connection.
//!
//! Diesel's own `sql_query` is prepared anew at every call and finds its columns by name. A
//! [`Statement`] is cached by its text and typed by position:
//!
//! ```text
//! statement::<(SqlUuid, Timestamptz)>("SELECT id, at FROM unnest($1, $2) AS t (id, at) WHERE at < $3")
//!     .bind::<Array<SqlUuid>, _>(&ids)          // &[Uuid] or &Vec<Uuid>
//!     .bind::<Array<Nullable<Timestamptz>>, _>(&times) // Vec<Option<DateTime<Utc>>>
//!     .bind::<Timestamptz, _>(&now)
//!     .load::<(Uuid, DateTime<Utc>)>(conn)      // or a #[derive(Queryable)] struct
//!     .await
//! ```
//!
//! `$1`, `$2`, … first appear in ascending order and may be repeated; arrays of one UNNEST are
//! of one length (SQL fills the shorter with NULLs). Text is always a literal: values go
//! through `bind`, so there is no injection and the cache stays small.

use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::HasSqlType;
use diesel::{QueryResult, result::Error};

/// A statement in the making; see the module.
pub(crate) struct Statement<'a, Row = (), N = Unnamed> {
    sql: &'static str,
    binds: Vec<Box<dyn Bind + Send + 'a>>,
    row: PhantomData<fn() -> (Row, N)>,
}

/// A type that stands for one text with its binds, and for no other; see [`Statement::named`].
pub(crate) trait Name: 'static {
    /// Whether prepared statements are found by it.
    const IS_KEY: bool = true;
}

/// A statement that is found by its text.
pub(crate) enum Unnamed {}

impl Name for Unnamed {
    const IS_KEY: bool = false;
}

/// Starts a statement whose rows have the SQL types `Row` (a tuple, one type for one column, or
/// `()` for a statement that is only executed).
pub(crate) fn statement<'a, Row>(sql: &'static str) -> Statement<'a, Row> {
    Statement {
        sql,
        binds: Vec::new(),
        row: PhantomData,
    }
}

impl<'a, Row> Statement<'a, Row> {
    /// Has it found by a type of its own: to write down and hash a long text at each call, only to look for what was
    /// prepared, costs as much as reading a row. For long texts that are asked again and again.
    pub(crate) fn named<N: Name>(self) -> Statement<'a, Row, N> {
        Statement {
            sql: self.sql,
            binds: self.binds,
            row: PhantomData,
        }
    }
}

impl<'a, Row, N> Statement<'a, Row, N> {
    /// Binds the next value as the SQL type `ST`.
    pub(crate) fn bind<ST, V>(mut self, value: &'a V) -> Self
    where
        V: ToSql<ST, Pg> + Sync + ?Sized,
        Pg: HasSqlType<ST>,
        ST: 'static,
    {
        self.binds.push(Box::new(Bound::<'a, ST, V> {
            value,
            sql_type: PhantomData,
        }));
        self
    }
}

trait Bind {
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()>;
}

struct Bound<'a, ST, V: ?Sized> {
    value: &'a V,
    sql_type: PhantomData<fn() -> ST>,
}

impl<ST, V> Bind for Bound<'_, ST, V>
where
    V: ToSql<ST, Pg> + ?Sized,
    Pg: HasSqlType<ST>,
{
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<ST, V>(self.value)
    }
}

impl<Row, N> QueryFragment<Pg> for Statement<'_, Row, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut rest = self.sql;
        let mut pushed = 0;
        while let Some((before, after)) = at_placeholder(rest) {
            out.push_sql(before);
            let digits = after
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(after.len());
            let (number, following) = after.split_at(digits);
            rest = following;
            match number.parse::<usize>() {
                Ok(n) if n == pushed + 1 => {
                    self.binds
                        .get(pushed)
                        .ok_or_else(|| wrong(self.sql))?
                        .push(&mut out)?;
                    pushed = n;
                }
                Ok(n) if (1..=pushed).contains(&n) => {
                    out.push_sql("$");
                    out.push_sql(number);
                }
                Err(_) if number.is_empty() => out.push_sql("$"), // of a regular expression
                _ => return Err(wrong(self.sql)),
            }
        }
        out.push_sql(rest);
        if pushed == self.binds.len() {
            Ok(())
        } else {
            Err(wrong(self.sql))
        }
    }
}

/// What stands before and after the first `$`. Diesel walks a text several times for each call.
fn at_placeholder(text: &str) -> Option<(&str, &str)> {
    let (before, mark) = text.split_at(memchr::memchr(b'$', text.as_bytes())?);
    Some((before, mark.strip_prefix('$')?))
}

fn wrong(sql: &str) -> Error {
    Error::QueryBuilderError(format!("binds do not match the placeholders of: {sql}").into())
}

/// Without a name, the cache takes the text (and bind types) as the key.
impl<Row, N: Name> QueryId for Statement<'_, Row, N> {
    type QueryId = N;
    const HAS_STATIC_QUERY_ID: bool = N::IS_KEY;
}

impl<Row, N> Query for Statement<'_, Row, N> {
    type SqlType = Row;
}

impl<Row, N, C> diesel::RunQueryDsl<C> for Statement<'_, Row, N> {}
