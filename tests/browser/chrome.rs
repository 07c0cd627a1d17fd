//! A headless Chromium, driven through chromedriver. All asynchronous code is in this module.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::prelude::*;
use thirtyfour::{BrowserLogEntry, ChromeCapabilities, LoggingPrefsLogLevel};
use tokio::runtime::{Builder, Runtime};

use crate::common::{Guard, eventually};

const INSTALL_HINT: &str = "this test needs Chromium and chromedriver (Debian packages chromium \
                            and chromium-driver); run './scripts/setup.sh tests'";

/// Flags that disable background activity and network access of the browser itself.
const ARGUMENTS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--hide-scrollbars",
];

/// An emulated screen.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    pub width: u32,
    /// Preferred color scheme: light or dark.
    pub scheme: &'static str,
    /// Media type: screen or print.
    pub media: &'static str,
}

/// A browser with one page. On drop, it exits together with chromedriver.
pub struct Chrome {
    runtime: Runtime,
    driver: Option<WebDriver>,
    // Fields drop in this order: the process ends before its directory is removed.
    chromedriver: Guard,
    _stdout: BufReader<ChildStdout>,
    _profile: TempDir,
}

impl Chrome {
    pub fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromedriver");
        command.args(["--port=0", "--log-level=WARNING"]).env("HOME", profile.path());
        command.env_remove("http_proxy").env_remove("HTTP_PROXY").stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().expect(INSTALL_HINT);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let chromedriver = Guard(child);
        let port = port(&mut stdout);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let address = format!("http://127.0.0.1:{port}");
        let driver = runtime.block_on(WebDriver::new(address, capabilities(profile.path())));
        let driver = Some(driver.expect(INSTALL_HINT));
        Chrome { runtime, driver, chromedriver, _stdout: stdout, _profile: profile }
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().unwrap()
    }

    pub fn open(&self, page: &Path) {
        let address = format!("file://{}", page.display());
        self.runtime.block_on(self.driver().goto(address)).unwrap();
    }

    /// Emulates another screen.
    pub fn emulate(&self, screen: Screen) {
        let Screen { width, scheme, media } = screen;
        let metrics =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.send_command("Emulation.setDeviceMetricsOverride", metrics);
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.send_command(
            "Emulation.setEmulatedMedia",
            json!({ "media": media, "features": features }),
        );
    }

    /// Sends a `DevTools` command and returns its result.
    pub fn send_command(&self, command: &str, parameters: Value) -> Value {
        let tools = self.driver().cdp();
        self.runtime.block_on(tools.send_raw(command, parameters)).unwrap()
    }

    /// Runs a script, given as a function body, and returns its result.
    pub fn run<T: serde::de::DeserializeOwned>(&self, script: &str, arguments: Vec<Value>) -> T {
        let returned = self.runtime.block_on(self.driver().execute(script, arguments)).unwrap();
        serde_json::from_value(returned.json().clone()).unwrap()
    }

    /// Log entries since the last call: of the page for the kind `browser`, of the network for
    /// the kind `performance`.
    pub fn log(&self, kind: &str) -> Vec<BrowserLogEntry> {
        self.runtime.block_on(self.driver().get_log(kind)).unwrap()
    }

    /// Clicks all elements that match the selector.
    pub fn click_all(&self, selector: &str) {
        self.runtime.block_on(async {
            for element in self.driver().find_all(By::Css(selector)).await.unwrap() {
                element.click().await.unwrap();
            }
        });
    }

    /// Screenshots, as PNG, of all elements that match the selector.
    pub fn pictures(&self, selector: &str) -> Vec<Vec<u8>> {
        self.runtime.block_on(async {
            let mut pictures = Vec::new();
            for element in self.driver().find_all(By::Css(selector)).await.unwrap() {
                pictures.push(element.screenshot_as_png().await.unwrap());
            }
            pictures
        })
    }
}

impl Drop for Chrome {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            // If the browser does not respond, chromedriver ends it.
            let _ = self.runtime.block_on(driver.quit());
        }
        self.chromedriver.signal(Signal::SIGTERM);
        if !std::thread::panicking() {
            eventually("chromedriver ends", || self.chromedriver.0.try_wait().unwrap());
        }
    }
}

/// Reads the port that chromedriver prints.
fn port(stdout: &mut impl BufRead) -> u16 {
    for line in stdout.lines().map_while(Result::ok) {
        let port = line.rsplit_once("on port ").map(|(_, port)| port.trim_end_matches('.'));
        if let Some(port) = port.and_then(|port| port.parse().ok()).filter(|port| *port > 0) {
            return port;
        }
    }
    panic!("chromedriver did not print its port");
}

fn capabilities(profile: &Path) -> ChromeCapabilities {
    let mut capabilities = DesiredCapabilities::chrome();
    for argument in ARGUMENTS {
        capabilities.add_arg(argument).unwrap();
    }
    capabilities
        .add_arg(&format!("--user-data-dir={}", profile.join("chromium").display()))
        .unwrap();
    for kind in ["browser", "performance"] {
        capabilities.set_logging_prefs(kind, LoggingPrefsLogLevel::All).unwrap();
    }
    capabilities
}
