use std::os::unix::process::ExitStatusExt as _;

use watchbell_contract::{Receipt, Refusal};
use watchbell_outside as outside;
use watchbell_secret::Scrubber;

use crate::Program;
use crate::process::Run;

/// BSD's `sysexits.h`: the command was used wrongly, the data was wrong, the configuration is.
const REFUSING: [i32; 3] = [64, 65, 78];

/// What is kept of a line that the program wrote.
const LINE_BYTES_MAX: usize = 1_000;

pub(crate) fn of(program: &Program, run: Run) -> Result<Receipt, Refusal> {
    let name = program.path.display();
    let unavailable = |reason| Refusal::Unavailable { reason, retry_after: None };
    let unanswered = |reason| Refusal::Unanswered { reason, retry_after: None };
    let scrubber = Scrubber::new(program.secrets.iter().map(|(_, secret)| secret));
    match run {
        Run::NotStarted(error) => Err(unavailable(format!("`{name}` cannot be started: {error}"))),
        Run::Lost(error) => Err(unanswered(format!("nobody knows how `{name}` ended: {error}"))),
        Run::Killed => {
            let seconds = program.timeout.as_secs_f64();
            Err(unanswered(format!("`{name}` had not ended after {seconds} s, and was killed")))
        }
        Run::Ended { status, stdout, .. } if status.success() => {
            Ok(Receipt { reference: line(&scrubber, stdout, |text| text.lines().next()) })
        }
        Run::Ended { status, stderr, .. } => {
            let said = line(&scrubber, stderr, |text| text.trim_end().lines().last());
            let said = said.map_or_else(String::new, |said| format!(": {said}"));
            match (status.code(), status.signal()) {
                (Some(code), _) if REFUSING.contains(&code) => {
                    Err(Refusal::Refused(format!("`{name}` refused the message with status {code}{said}")))
                }
                (Some(code), _) => Err(unavailable(format!("`{name}` ended with status {code}{said}"))),
                (None, Some(signal)) => {
                    Err(unanswered(format!("`{name}` was ended by signal {signal}{said}")))
                }
                (None, None) => Err(unanswered(format!("`{name}` ended with `{status}`{said}"))),
            }
        }
    }
}

/// The line that `which` chooses, without secrets, control characters and space around it; `None` if nothing is left.
fn line(scrubber: &Scrubber, output: Vec<u8>, which: impl Fn(&str) -> Option<&str>) -> Option<String> {
    let text = scrubber.text(&String::from_utf8_lossy(&output));
    let mut line = outside::line(which(&text)?.trim()).into_owned();
    if line.len() > LINE_BYTES_MAX {
        line.truncate(line.floor_char_boundary(LINE_BYTES_MAX));
    }
    (!line.is_empty()).then_some(line)
}
