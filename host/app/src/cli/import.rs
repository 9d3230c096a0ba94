//! `watchbell import elastalert`: a folder of ElastAlert's becomes a folder of manifests.
use anyhow::Context;
use serde_json::json;
use watchbell_import::{Settings, import, read, write};

use super::args::Elastalert;
use super::{Failure, YELLOW, paint, plain, print};

pub(crate) fn elastalert(args: &Elastalert) -> Result<(), Failure> {
    let sources = read(&args.folder).with_context(|| format!("cannot read `{}`", args.folder.display()))?;
    if sources.is_empty() {
        return Err(anyhow::anyhow!("there is no `.yaml` or `.yml` below `{}`", args.folder.display()).into());
    }
    let made = import(&sources, &Settings { destination: args.destination.as_deref(), tokens: &args.tokens });
    if !args.dry_run {
        write(&args.out, &made.files, args.overwrite).with_context(|| {
            "nothing of what was there before was changed\n\nhint: choose another folder, or give `--overwrite`"
        })?;
    }
    if let Some(path) = &args.report {
        std::fs::write(path, serde_json::to_string_pretty(&made.report)?)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    if args.json {
        let files: Vec<&str> = made.files.iter().map(|file| file.path.as_str()).collect();
        print(&serde_json::to_string_pretty(&json!({ "files": files, "report": made.report }))?)?;
    } else {
        for line in made.report.to_string().lines() {
            print(&plain(line))?;
        }
        let (count, out) = (made.files.len(), args.out.display());
        print(&match args.dry_run {
            true => format!("\n{count} files would be written below {out}"),
            false => format!("\n{count} files written below {out}; next: watchbell check --rules {out}"),
        })?;
    }
    if made.report.is_complete() {
        return Ok(());
    }
    if !args.json {
        let warning = paint("not every rule was carried over:", YELLOW, &std::io::stderr());
        eprintln!("{warning} the report names each with place and remedy");
    }
    Err(Failure::Told)
}
