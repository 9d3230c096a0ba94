use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Child;
use tokio::sync::mpsc;

use crate::cluster::Cluster;
use crate::mail::{Received, Server};
use crate::receiver::Alert;
use crate::story;
use crate::traffic::{BEAT, Traffic};
use crate::{Ending, PATIENCE};

/// A person looks at a message for so long before pressing its button.
const THINKING: Duration = Duration::from_secs(2);

/// Who and what the demo consists of.
pub(crate) struct Play {
    /// Ends with the first alert.
    pub(crate) once: bool,
    pub(crate) traffic: Traffic,
    pub(crate) cluster: Cluster,
    pub(crate) host: Child,
    pub(crate) log: mpsc::UnboundedReceiver<String>,
    pub(crate) alerts: mpsc::UnboundedReceiver<Alert>,
    pub(crate) mail: Server,
    /// Where the host's own pages are.
    pub(crate) public_url: String,
}

/// How far the story is.
#[derive(Default)]
struct Progress {
    arrived: bool,
    /// The button of the message in the chat.
    button: Option<String>,
    /// When somebody presses it.
    pressed_at: Option<tokio::time::Instant>,
    over_in_chat: bool,
    over_by_mail: bool,
}

impl Play {
    /// Streams until the story is over, or patience is.
    pub(crate) async fn tell(&mut self) -> Result<Ending> {
        let mut beat = tokio::time::interval(BEAT);
        let mut progress = Progress::default();
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let pressed_at = progress.pressed_at.unwrap_or(end);
            tokio::select! {
                _ = beat.tick() => self.stream().await?,
                Some(line) = self.log.recv() => story::retell(&line),
                Some(alert) = self.alerts.recv() => {
                    self.hear(&alert, &mut progress);
                    if progress.arrived && self.once {
                        return Ok(Ending::Arrived);
                    }
                }
                mail = self.mail.next() => read(&mail, &mut progress),
                () = tokio::time::sleep_until(pressed_at), if progress.pressed_at.is_some() => {
                    progress.pressed_at = None;
                    let button = progress.button.take().context("the message had no button")?;
                    press(&button).await?;
                }
                status = self.host.wait() => bail!("{}", self.last_words(status?)),
                () = tokio::time::sleep_until(end) => return Ok(Ending::of(progress.is_over())),
                _ = tokio::signal::ctrl_c() => {
                    return Ok(if progress.arrived { Ending::Arrived } else { Ending::Interrupted });
                }
            }
            if progress.is_over() {
                return Ok(Ending::Arrived);
            }
        }
    }

    async fn stream(&mut self) -> Result<()> {
        let batch = self.traffic.next_beat();
        if let Some(turn) = self.traffic.turn() {
            story::say("logs", turn);
        }
        self.cluster.write(&batch).await
    }

    fn hear(&self, alert: &Alert, progress: &mut Progress) {
        story::say_loud(alert.at, &alert.to_string());
        progress.arrived |= alert.says("5xxs spiked");
        progress.over_in_chat |= alert.at == "chat" && alert.says("Resolved");
        if progress.button.is_none() {
            progress.button = alert.address(&format!("{}/a/", self.public_url));
        }
    }

    fn last_words(&mut self, status: ExitStatus) -> String {
        while let Ok(line) = self.log.try_recv() {
            eprintln!("{line}");
        }
        format!("the host exited unexpectedly ({status})")
    }
}

impl Progress {
    fn is_over(&self) -> bool {
        self.over_in_chat && self.over_by_mail
    }
}

fn read(mail: &Received, progress: &mut Progress) {
    let headers = ["From:", "To:", "Subject:", "Message-ID:", "In-Reply-To:"];
    let lines = mail.message.lines().take_while(|line| !line.is_empty());
    let shown: Vec<&str> =
        lines.filter(|line| headers.iter().any(|header| line.starts_with(header))).collect();
    story::say_loud("mail", &shown.join("\n"));
    let subject = shown.iter().find(|line| line.starts_with("Subject:")).copied().unwrap_or_default();
    progress.over_by_mail |= subject.contains("Resolved");
    if progress.button.is_some() && progress.pressed_at.is_none() && !subject.contains("Resolved") {
        progress.pressed_at = Some(tokio::time::Instant::now() + THINKING);
    }
}

/// As a person does: the page first, then its button.
async fn press(button: &str) -> Result<()> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let page = http.get(button).send().await.context("the link of the message leads nowhere")?;
    page.error_for_status().context("the page that acknowledges")?;
    story::say_loud("ann", &format!("opens {button}\nand presses `Acknowledge`"));
    let pressed = http.post(button).header("origin", "null").form(&[("name", "Ann")]).send().await?;
    pressed.error_for_status().context("the button that acknowledges")?;
    Ok(())
}
