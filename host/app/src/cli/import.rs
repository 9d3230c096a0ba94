//! `watchbell import`: converts a folder of ElastAlert rules to a folder of manifests, and Alertmanager's configuration to
//! an environment.
use std::path::Path;

use anyhow::Context;
use serde_json::json;
use watchbell_import::{
    AlertmanagerSettings, Fate, Import, Settings, import, import_alertmanager, read, read_config, read_file,
    write,
};

use super::args::{Alertmanager, Elastalert, ImportShown};
use super::place::catalog;
use super::{Colour, Failure, json, note, paint, plain, print};
use crate::catalog::Catalog;

pub(crate) fn elastalert(args: &Elastalert) -> Result<(), Failure> {
    let mut sources =
        read(&args.folder).with_context(|| format!("cannot read `{}`", args.folder.display()))?;
    if sources.is_empty() {
        return Err(
            anyhow::anyhow!("there is no `.yaml` or `.yml` file below `{}`", args.folder.display()).into()
        );
    }
    let config = args.config.as_ref().map(|config| {
        read_config(&args.folder, config, &mut sources)
            .with_context(|| format!("cannot read `{}`", config.display()))
    });
    let config = config.transpose()?;
    let settings = Settings {
        destination: args.destination.as_deref(),
        tokens: &args.tokens,
        config: config.as_deref(),
        begin: args.from.as_deref(),
    };
    let mut made = import(&sources, &settings);
    if Catalog::has_plugins() {
        made.refuse_rejected(&catalog(None)?).context("cannot write the manifests to check them")?;
    }
    show(&made, &args.out, &args.shown)?;
    if made.report.is_complete() {
        return Ok(());
    }
    if !args.shown.json {
        let warning = paint("some rules were not imported:", Colour::Yellow);
        note(&format!("{warning} the report says where, why and what to do"));
    }
    Err(Failure::Told)
}

pub(crate) fn alertmanager(args: &Alertmanager) -> Result<(), Failure> {
    let file = read_file(&args.file);
    if let Err(why) = &file.text {
        return Err(anyhow::anyhow!("`{}` {why}", args.file.display()).into());
    }
    let silences = args.silences.as_deref().map(read_file);
    let settings = AlertmanagerSettings { environment: &args.environment, silences: silences.as_ref() };
    let made = import_alertmanager(&file, &settings);
    show(&made, &args.out, &args.shown)?;
    if made.report.count(Fate::Failed) == 0 {
        return Ok(());
    }
    if !args.shown.json {
        let warning = paint("part of it was not imported:", Colour::Yellow);
        note(&format!("{warning} the report says where and why"));
    }
    Err(Failure::Told)
}

/// Writes the files, and prints the report.
fn show(made: &Import, out: &Path, args: &ImportShown) -> Result<(), Failure> {
    if !args.dry_run {
        write(out, &made.files, args.overwrite).with_context(
            || "no existing file was changed\n\nhint: choose another folder, or pass `--overwrite`",
        )?;
    }
    if let Some(path) = &args.report {
        std::fs::write(path, serde_json::to_string_pretty(&made.report)?)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    if args.json {
        let files: Vec<&str> = made.files.iter().map(|file| file.path.as_str()).collect();
        json(&json!({ "files": files, "report": made.report }))?;
        return Ok(());
    }
    for line in made.report.to_string().lines() {
        print(&plain(line))?;
    }
    let (count, out) = (made.files.len(), plain(&out.display().to_string()));
    print(&match args.dry_run {
        true => format!("\n{count} files would be written below {out}"),
        false => format!("\n{count} files written below {out}; {}", made.report.next_step(&out)),
    })?;
    Ok(())
}
