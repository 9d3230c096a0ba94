//! A program on the host's machine.
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use watchbell_contract::Duration;

use crate::bind::doc::Doc;
use crate::bind::refs::secret;
use crate::options::Options;
use crate::{ExecEndpoint, SecretOr, raw};

/// The permission to run, of anybody.
const EXECUTABLE: u32 = 0o111;

/// `None` if something of it is invalid.
pub(super) fn endpoint(
    doc: &mut Doc<'_>,
    at: &str,
    raw: raw::ExecEndpoint,
    home: &Path,
    options: &Options<'_>,
) -> Option<ExecEndpoint> {
    if let Some(index) = raw.command.iter().position(|word| word.contains('\0')) {
        let at = format!("{at}/command/{index}");
        let message = format!("`{}` contains a null character", crate::schema::path(&at));
        doc.fault(&at, message).push(doc);
        return None;
    }
    let mut words = raw.command.into_iter();
    let program = PathBuf::from(words.next()?);
    let arguments: Vec<String> = words.collect();
    let here = format!("{at}/command/0");
    let name = crate::schema::path(&here);
    if !program.is_absolute() {
        let message = format!("`{name}` is not an absolute path: `{}`", program.display());
        doc.fault(&here, message)
            .hint("write for example `/usr/local/bin/page`; for a shell, `[/bin/sh, -c, \"…\"]`")
            .push(doc);
        return None;
    }
    // Where only manifests are checked, the machine is another one.
    if options.check_secrets
        && let Some(why) = unusable(&program)
    {
        let message = format!("`{name}` {why}: `{}`", program.display());
        doc.fault(&here, message).hint("it is started on the machine where the host runs").push(doc);
    }
    for name in raw.variables.keys().filter(|name| !is_variable(name)) {
        doc.fault(&format!("{at}/variables"), format!("`{name}` is not the name of a variable"))
            .hint("use letters, digits and `_`, and begin with no digit")
            .push(doc);
    }
    let variables = raw.variables.into_iter().map(|(name, value)| {
        let value = match value {
            raw::TextOrSecret::Text(text) => SecretOr::Plain(text),
            raw::TextOrSecret::Secret(named) => {
                SecretOr::Secret(secret(doc, &format!("{at}/variables/{name}"), named, home, options))
            }
        };
        (name, value)
    });
    let variables = variables.collect();
    let timeout = doc.positive(&format!("{at}/timeout"), raw.timeout, Duration::from_secs(30));
    Some(ExecEndpoint { program, arguments, variables, timeout })
}

fn is_variable(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(is_allowed) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

fn unusable(program: &Path) -> Option<&'static str> {
    match program.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some("does not exist"),
        Err(_) => Some("cannot be looked at"),
        Ok(found) if !found.is_file() => Some("is not a file"),
        Ok(found) if found.permissions().mode() & EXECUTABLE == 0 => Some("is not executable"),
        Ok(_) => None,
    }
}
