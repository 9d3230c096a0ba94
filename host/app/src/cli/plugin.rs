//! `watchbell plugin`: from an idea to a module that runs. `plugin_tools` builds modules, the sandbox runs them.
mod look; // reads a module and its metadata
mod inspect; // check, inspect, list
mod make; // new, build, test
mod cases; // a rule's cases on its component
mod golden; // the states that they end with
mod bench; // speed and size
mod rows; // generated rows for it
mod publish; // sign, push, pull

use std::time::Duration;

use watchbell_plugin_tools::Progress;
use watchbell_sandbox::Sandbox;

use super::args::Plugin;
use super::{Failure, Terminal, note, plain};

pub(crate) fn plugin(command: &Plugin) -> Result<(), Failure> {
    match command {
        Plugin::New(args) => make::new(args),
        Plugin::Build { folder } => make::build(folder),
        Plugin::Test { folder, bless, strict, no_strict } => {
            make::test(folder, cases::Strictness { bless: *bless, strict: *strict || !*no_strict })
        }
        Plugin::Inspect { file, json } => inspect::inspect(file, *json),
        Plugin::Bench(args) => bench::bench(args),
        Plugin::Check { file, json } => inspect::check(file, *json),
        Plugin::Sign { file, key } => publish::sign(file, key),
        Plugin::Push { file, reference, sign, plain_http } => {
            publish::push(file, reference, sign, *plain_http)
        }
        Plugin::Pull { reference, out, plain_http } => publish::pull(reference, out.as_deref(), *plain_http),
        Plugin::List { json } => inspect::list(*json),
    }
}

/// A sandbox that caches compiled modules: a JavaScript engine takes seconds to compile.
fn sandbox() -> Result<Sandbox, Failure> {
    Ok(crate::modules::sandbox(crate::catalog::cache_folder("modules"))?)
}

/// Reports the progress of slow steps on standard error: one line that changes on a terminal, otherwise one every 10 s.
fn progress_reporter() -> impl FnMut(Progress<'_>) {
    const APART: Duration = Duration::from_secs(10);
    let terminal = Terminal::error();
    let mut told: Option<Duration> = None;
    move |progress| {
        let (doing, seconds) = (progress.doing, progress.elapsed.as_secs());
        let line: String = plain(progress.line).chars().take(80).collect();
        let end = if line.is_empty() { "" } else { ": " };
        if terminal.is_terminal() {
            terminal.progress(&format!("  {doing}, {seconds} s{end}{line}"));
            if progress.line.is_empty() {
                terminal.clear();
            }
        } else if told.is_none_or(|told| progress.elapsed < told || progress.elapsed >= told + APART) {
            told = Some(progress.elapsed);
            note(&format!("  {doing}, {seconds} s{end}{line}"));
        }
    }
}

/// `12.3 MiB`, `93 KiB`.
fn size(bytes: usize) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes.div_ceil(1_024)),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        assert_eq!([0, 1_023, 1_024, 12_161_449].map(super::size), ["0 B", "1023 B", "1 KiB", "11.6 MiB"]);
    }
}
