//! Which partitions there are: names and bounds, by pure date arithmetic in UTC.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, Utc};

/// A partitioned table and how it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioned {
    /// `probe_results`, by day.
    Results,
    /// `rollup_hourly`, by week, Monday to Monday.
    Hourly,
    /// `rollup_daily`, by month.
    Daily,
}

/// All of them.
pub const ALL: [Partitioned; 3] = [
    Partitioned::Results,
    Partitioned::Hourly,
    Partitioned::Daily,
];

/// One partition: the half-open stretch of days it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) from: NaiveDate,
    pub(crate) to: NaiveDate,
}

impl Partitioned {
    /// The table's name.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::Results => "probe_results",
            Self::Hourly => "rollup_hourly",
            Self::Daily => "rollup_daily",
        }
    }

    /// The column it is cut by.
    pub(crate) const fn column(self) -> &'static str {
        match self {
            Self::Results => "scheduled_at",
            Self::Hourly => "hour",
            Self::Daily => "day",
        }
    }

    /// The partition that holds `day`.
    pub(crate) fn span(self, day: NaiveDate) -> Option<Span> {
        let from = match self {
            Self::Results => day,
            Self::Hourly => {
                day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into()))?
            }
            Self::Daily => day.with_day(1)?,
        };
        let to = match self {
            Self::Results => from.checked_add_days(Days::new(1))?,
            Self::Hourly => from.checked_add_days(Days::new(7))?,
            Self::Daily => from.checked_add_months(Months::new(1))?,
        };
        Some(Span {
            name: format!("{}_{}", self.table(), from.format("%Y%m%d")),
            from,
            to,
        })
    }

    /// Partitions that together hold every day from `first` to `last`, both included.
    pub(crate) fn cover(self, first: NaiveDate, last: NaiveDate) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut day = first;
        while day <= last {
            let Some(span) = self.span(day) else { break };
            day = span.to;
            spans.push(span);
        }
        spans
    }

    /// The span of a partition that we named; `None` for any other table.
    pub(crate) fn of_name(self, name: &str) -> Option<Span> {
        let date = name.strip_prefix(self.table())?.strip_prefix('_')?;
        let day = NaiveDate::parse_from_str(date, "%Y%m%d").ok()?;
        self.span(day).filter(|span| span.name == name)
    }
}

/// `day`'s first moment.
pub(crate) fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn spans_begin_at_midnight_monday_and_the_first() {
        let day = day("2026-11-22"); // a Sunday
        let names = ALL.map(|table| table.span(day).unwrap().name);
        assert_eq!(
            names,
            [
                "probe_results_20261122",
                "rollup_hourly_20261116",
                "rollup_daily_20261101"
            ]
        );
    }

    #[test]
    fn a_cover_has_neither_gap_nor_overlap_and_holds_both_ends() {
        let (first, last) = (day("2026-01-29"), day("2026-03-02"));
        for table in ALL {
            let spans = table.cover(first, last);
            assert!(spans.first().unwrap().from <= first && last < spans.last().unwrap().to);
            assert!(
                spans.windows(2).all(|pair| pair[0].to == pair[1].from),
                "{spans:?}"
            );
        }
    }

    #[test]
    fn only_our_own_names_are_partitions() {
        let span = Partitioned::Hourly.span(day("2026-11-22")).unwrap();
        assert_eq!(Partitioned::Hourly.of_name(&span.name), Some(span));
        for other in [
            "rollup_hourly_20261122",
            "rollup_hourly",
            "rollup_hourly_2026",
            "rollup_hourly_x",
        ] {
            assert_eq!(Partitioned::Hourly.of_name(other), None, "{other}");
        }
    }
}
