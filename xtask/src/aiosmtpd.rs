//! aiosmtpd, a mail server: what mails are sent to in tests.
use std::path::PathBuf;

use anyhow::Result;

use crate::cache::Cache;
use crate::python::Package;
use crate::stage::Stage;

/// The variable with its Python, for tests.
pub(crate) const VARIABLE: &str = "WATCHBELL_AIOSMTPD_PYTHON";

const PACKAGE: Package = Package {
    title: "aiosmtpd",
    version: "1.4.6",
    folder: "aiosmtpd",
    requirements: &["aiosmtpd==1.4.6"],
    check: "import aiosmtpd, sys; sys.exit(aiosmtpd.__version__ != '1.4.6')",
};

/// Its Python, installed on first use.
pub(crate) fn python(cache: &Cache, stage: &mut Stage) -> Result<PathBuf> {
    PACKAGE.python(cache, stage, || Ok("python3".into()))
}
