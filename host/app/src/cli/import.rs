//! `watchbell import`: converts a folder of ElastAlert rules to a folder of manifests, and Alertmanager's configuration to
//! an environment.
use std::path::Path;

use anyhow::Context;
use serde_json::json;
use watchbell_import::{
    AlertmanagerSettings, Fate, Import, Settings, import, import_alertmanager, read, read_file, write,
};
use watchbell_manifest::{Level, Options, load};

use super::args::{Alertmanager, Elastalert, ImportShown};
use super::place::catalog;
use super::{Colour, Failure, json, note, paint, plain, print};
use crate::catalog::Catalog;

pub(crate) fn elastalert(args: &Elastalert) -> Result<(), Failure> {
    let sources = read(&args.folder).with_context(|| format!("cannot read `{}`", args.folder.display()))?;
    if sources.is_empty() {
        return Err(
            anyhow::anyhow!("there is no `.yaml` or `.yml` file below `{}`", args.folder.display()).into()
        );
    }
    let mut made =
        import(&sources, &Settings { destination: args.destination.as_deref(), tokens: &args.tokens });
    leave_out_refused(&mut made)?;
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
        false => format!("\n{count} files written below {out}; next: watchbell check --rules {out}"),
    })?;
    Ok(())
}

/// A single refused manifest prevents its whole folder from running. So each manifest is checked here as `check` would,
/// and a refused one is not imported.
fn leave_out_refused(made: &mut Import) -> Result<(), Failure> {
    if !Catalog::has_plugins() {
        return Ok(());
    }
    let catalog = catalog(None)?;
    let none = |_: &str| None;
    let options = Options { environment: "default", token_overrides: &[], env: &none, check_secrets: false };
    // A report holds a limited number of errors, so this takes several rounds.
    loop {
        let folder =
            tempfile::tempdir().context("cannot make a temporary folder to check the manifests in")?;
        write(folder.path(), &made.files, true).context("cannot write the manifests to check them")?;
        let Err(report) = load(folder.path(), &options, &catalog) else { return Ok(()) };
        let errors: Vec<_> = report.diagnostics.iter().filter(|found| found.level == Level::Error).collect();
        let scratch = folder.path().file_name().unwrap_or_default();
        let refused = made.files.iter().filter_map(|file| {
            let path = Path::new(scratch).join(&file.path);
            let of_it = errors.iter().filter(|found| Path::new(&*found.place.file).ends_with(&path));
            let reasons: Vec<String> = of_it.map(|found| found.message.clone()).collect();
            // The values of tokens are not known yet.
            let is_known = !file.text.contains("@@") && !file.path.starts_with("environments/");
            (is_known && !reasons.is_empty()).then(|| (file.path.clone(), reasons))
        });
        let refused: Vec<(String, Vec<String>)> = refused.collect();
        if refused.is_empty() {
            return Ok(());
        }
        for (path, reasons) in refused {
            made.refuse(&path, &reasons);
        }
    }
}
