//! The migration step: exit code 0 when done or current, 1 when not, 2 when called wrongly.

use std::process::ExitCode;

use migrate::{Command, Config, USAGE, run};
use runtime::env::ProcessEnv;
use runtime::process::{arguments, say};

const FAILED: u8 = 1;
const MISCONFIGURED: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let Some(command) = Command::parse(&arguments()) else {
        say(USAGE);
        return ExitCode::from(MISCONFIGURED);
    };
    let config = match Config::from_env(&ProcessEnv) {
        Ok(config) => config,
        Err(errors) => {
            say(&format!("pulsemon-migrate cannot start: {errors}"));
            return ExitCode::from(MISCONFIGURED);
        }
    };
    runtime::telemetry::init_logs(&ProcessEnv);
    match run(config, command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => {
            tracing::error!("pulsemon-migrate failed: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}
