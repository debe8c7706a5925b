//! What is printed at the end, of the parts that were measured.

use std::fmt;

use crate::bare::Scheme;
use crate::lateness::Percentiles;

/// All rounds.
#[derive(Debug, Default)]
pub(crate) struct Report {
    http: Rounds,
    https: Rounds,
    late_bare: Vec<Percentiles>,
    late_prober: Vec<Percentiles>,
    held_bare: Option<f64>,
    held_prober: Option<f64>,
    storm: Option<[u64; 2]>,
}

/// CPU per probe in µs.
#[derive(Debug, Default)]
struct Rounds {
    bare: Vec<f64>,
    prober: Vec<f64>,
    exporter: Vec<f64>,
    /// To the prober, in its round.
    exporter_ratios: Vec<f64>,
}

impl Report {
    fn rounds(&mut self, scheme: Scheme) -> &mut Rounds {
        match scheme {
            Scheme::Http => &mut self.http,
            Scheme::Https => &mut self.https,
        }
    }

    pub(crate) fn bare(&mut self, scheme: Scheme, us: f64) {
        eprintln!("      bare loop {us:.1} µs");
        self.rounds(scheme).bare.push(us);
    }

    pub(crate) fn prober(&mut self, scheme: Scheme, us: f64) {
        eprintln!("      prober    {us:.1} µs");
        self.rounds(scheme).prober.push(us);
    }

    pub(crate) fn exporter(&mut self, scheme: Scheme, us: f64) {
        let rounds = self.rounds(scheme);
        rounds.exporter.push(us);
        rounds
            .exporter_ratios
            .extend(rounds.prober.last().map(|prober| us / prober));
    }

    pub(crate) fn lateness(&mut self, bare: Vec<Percentiles>, prober: Vec<Percentiles>) {
        self.late_bare = bare;
        self.late_prober = prober;
    }

    /// KiB per probe in flight.
    pub(crate) fn held_bare(&mut self, kib: f64) {
        eprintln!("      bare loop {kib:.1} KiB");
        self.held_bare = Some(kib);
    }

    pub(crate) fn held_prober(&mut self, kib: f64) {
        eprintln!("      prober    {kib:.1} KiB");
        self.held_prober = Some(kib);
    }

    /// The most memory in KiB after a pool's worth of hanging targets, and after all of them.
    pub(crate) fn storm(&mut self, once: u64, all: u64) {
        self.storm = Some([once, all]);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_cpu(f)?;
        self.write_lateness(f)?;
        self.write_memory(f)
    }
}

impl Report {
    fn write_cpu(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = [("HTTP", &self.http), ("HTTPS", &self.https)];
        let measured: Vec<_> = both
            .into_iter()
            .filter(|(_, rounds)| !rounds.prober.is_empty())
            .collect();
        if measured.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\nCPU in µs per probe, median [least-most]; ratios by round"
        )?;
        for (name, rounds) in measured {
            writeln!(f, "  {name:<6} bare loop {}", shown(&rounds.bare, 1))?;
            writeln!(f, "         prober    {}", shown(&rounds.prober, 1))?;
            let ratios = ratios(&rounds.prober, &rounds.bare);
            writeln!(f, "         prober / bare loop  {}", shown(&ratios, 2))?;
            if !rounds.exporter.is_empty() {
                writeln!(f, "         exporter  {}", shown(&rounds.exporter, 1))?;
                let ratios = shown(&rounds.exporter_ratios, 2);
                writeln!(f, "         exporter / prober   {ratios}")?;
            }
        }
        Ok(())
    }

    fn write_lateness(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.late_prober.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\nFrom a probe's moment to its begin in ms, 2 000 a second, median [least-most] of the rounds"
        )?;
        for (name, rounds) in [("loop", &self.late_bare), ("prober", &self.late_prober)] {
            let of = |n: usize| -> Vec<f64> {
                rounds
                    .iter()
                    .filter_map(|round| round.get(n).copied())
                    .collect()
            };
            let (half, most, nearly_all) = (shown(&of(0), 2), shown(&of(1), 2), shown(&of(2), 2));
            writeln!(f, "  {name:<6} p50 {half}, p99 {most}, p99.9 {nearly_all}")?;
        }
        Ok(())
    }

    fn write_memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(bare), Some(prober)) = (self.held_bare, self.held_prober) {
            writeln!(
                f,
                "\nMemory in KiB per probe in flight, {} at one time",
                crate::HELD
            )?;
            writeln!(
                f,
                "  bare loop {bare:.1}, prober {prober:.1}: {:.2}",
                prober / bare
            )?;
        }
        if let Some([once, all]) = self.storm {
            writeln!(
                f,
                "  {} targets that hang, {} places: at most {all} KiB; {once} KiB after the first {}",
                crate::STORM,
                crate::STORM_POOL,
                crate::STORM_POOL
            )?;
        }
        Ok(())
    }
}

fn ratios(of: &[f64], to: &[f64]) -> Vec<f64> {
    of.iter().zip(to).map(|(of, to)| of / to).collect()
}

fn shown(values: &[f64], digits: usize) -> String {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    let (median, least, most) = (
        at(values.len() / 2),
        at(0),
        at(values.len().saturating_sub(1)),
    );
    format!("{median:.digits$} [{least:.digits$}-{most:.digits$}]")
}
