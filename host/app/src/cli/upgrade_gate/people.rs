use watchbell_gate::{Finding, Judged, Outcome, Row, RowVerdict, Stand, Verdict};

use super::args::{Until, UpgradeGate};
use super::progress::seconds;
use crate::cli::{Colour, paint, plain};

/// The maximum number of lines of the table; JSON has all.
const ROWS_MAX: usize = 60;

pub(super) fn verdict(args: &UpgradeGate, verdict: &Verdict) -> String {
    let (word, colour) = match verdict.outcome {
        Outcome::Safe => ("safe", Colour::Green),
        Outcome::NotSafe => ("not safe", Colour::Red),
        Outcome::CouldNotTell => ("could not tell", Colour::Yellow),
        Outcome::TimedOut => ("timed out", Colour::Yellow),
    };
    let mut text = format!("{} {}", paint(&format!("{word}:"), colour), sentence(args, verdict));
    if let (Some(cluster), Some(status)) = (&verdict.cluster, verdict.status) {
        let cluster = plain(cluster);
        text.push_str(&format!(" (cluster {cluster}, {}, after {})", status.word(), seconds(verdict.took)));
    }
    text.push('\n');
    for finding in &verdict.findings {
        text.push_str(&self::finding(finding));
    }
    text.push_str(&table(&verdict.shards));
    text
}

fn sentence(args: &UpgradeGate, verdict: &Verdict) -> String {
    let node = verdict
        .node
        .as_deref()
        .map_or_else(|| "the next node".to_owned(), |node| format!("node {}", plain(node)));
    let ready = args.until == Some(Until::Ready);
    match (verdict.outcome, args.drain.is_some(), args.disable_allocation) {
        (Outcome::Safe, true, _) if ready => format!("{node} is empty and stays excluded until `--put-back`"),
        (Outcome::Safe, true, _) => format!("{node} has left, and its exclusion has been removed"),
        (Outcome::Safe, _, true) if ready => "allocation is held back until `--put-back`".to_owned(),
        (Outcome::Safe, _, true) => format!("{node} is back, and so are its shards"),
        (Outcome::Safe, ..) => format!("{node} may be replaced"),
        (Outcome::NotSafe, true, _) => format!("{node} cannot be drained"),
        (Outcome::NotSafe, ..) => format!("{node} must not be replaced now"),
        (Outcome::CouldNotTell, ..) => format!("cannot tell whether {node} may be replaced"),
        (Outcome::TimedOut, ..) => "the cluster was still changing".to_owned(),
    }
}

pub(super) fn finding(finding: &Finding) -> String {
    let (word, colour) = match finding.stand {
        Stand::Stop => ("stop", Colour::Red),
        Stand::Unknown => ("unknown", Colour::Yellow),
        Stand::Wait => ("wait", Colour::Yellow),
        Stand::Note => ("note", Colour::Bold),
    };
    let pad = " ".repeat(9 - word.len());
    let mut text = format!("  {}{pad}{}\n", paint(word, colour), plain(&finding.what));
    if let Some(help) = &finding.help {
        text.push_str(&format!("           hint: {}\n", plain(help)));
    }
    text
}

fn table(shards: &[Judged]) -> String {
    let mut rows: Vec<(&Judged, &Row)> =
        shards.iter().flat_map(|one| one.rows.iter().map(move |row| (one, row))).collect();
    if rows.is_empty() {
        return String::new();
    }
    rows.sort_by_key(|(_, row)| match row.verdict {
        RowVerdict::Refused => 0,
        RowVerdict::Unknown => 1,
        RowVerdict::Waiting => 2,
        RowVerdict::Allowed => 3,
    });
    let more = rows.len().saturating_sub(ROWS_MAX);
    let cells: Vec<[String; 4]> = rows
        .iter()
        .take(ROWS_MAX)
        .map(|(one, row)| {
            let node = row.node.as_deref().unwrap_or("-");
            let decider = row.decider.as_deref().unwrap_or("-");
            [plain(&one.group.shard.to_string()), one.group.kind().to_owned(), plain(node), plain(decider)]
        })
        .collect();
    let heads = ["shard", "copy", "node", "decider"];
    let width = |column: usize| {
        let cells = cells.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(heads[column].len())
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: [&str; 4]| -> String {
        cells.iter().zip(&widths).map(|(cell, width)| format!("  {cell:width$}")).collect()
    };
    let mut text = format!("\n{}\n", paint(&format!("{}  verdict", line(heads)), Colour::Bold));
    for (cells, (_, row)) in cells.iter().zip(&rows) {
        let colour = match row.verdict {
            RowVerdict::Allowed => Colour::Green,
            RowVerdict::Waiting | RowVerdict::Unknown => Colour::Yellow,
            RowVerdict::Refused => Colour::Red,
        };
        let verdict = paint(row.verdict.word(), colour);
        text.push_str(&format!("{}  {verdict}\n", line(cells.each_ref().map(String::as_str))));
    }
    if more > 0 {
        text.push_str(&format!("  and {more} more lines (`--json` has all)\n"));
    }
    text
}
