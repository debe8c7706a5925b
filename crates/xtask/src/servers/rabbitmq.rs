//! A private `RabbitMQ`, with an Erlang port mapper of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::Context;

use super::find::RabbitPrograms;
use crate::environment::names_with_prefix;
use crate::folder::Folder;
use crate::http;
use crate::ports::Ports;
use crate::process::signal::Stop;
use crate::process::{Output, Spec, Supervisor};
use crate::secrets::{Secrets, write_private};

/// The one user of the private broker.
const USER: &str = "pulsemon";

/// The node keeps its data under this name, so it never changes. Other nodes of the machine are
/// registered with other port mappers, so it need not be unique.
const NODE: &str = "pulsemon@localhost";

/// The node is stopped after everything that uses it, its port mapper after the node.
const NODE_LAYER: u8 = 1;
const EPMD_LAYER: u8 = 0;

/// A planned private broker: where it is, and how to reach it.
#[derive(Debug)]
pub(crate) struct Rabbit {
    programs: RabbitPrograms,
    home: PathBuf,
    logs: PathBuf,
    amqp: u16,
    distribution: u16,
    epmd: u16,
    management: u16,
    password: String,
}

impl Rabbit {
    /// Chooses ports and password, and writes the configuration.
    pub(crate) fn plan(
        folder: &Folder,
        programs: RabbitPrograms,
        secrets: &mut Secrets,
    ) -> anyhow::Result<Self> {
        let names = ["amqp", "distribution", "epmd", "management"];
        let [amqp, distribution, epmd, management] = Ports::load(&folder.ports()).settle(names)?;
        let rabbit = Self {
            programs,
            home: folder.root().join("rabbitmq"),
            logs: folder.logs(),
            amqp,
            distribution,
            epmd,
            management,
            password: secrets.secret("RABBITMQ_PASSWORD")?,
        };
        let cookie = secrets.secret("ERLANG_COOKIE")?;
        rabbit.write_files(&cookie).context("configure RabbitMQ")?;
        Ok(rabbit)
    }

    /// The broker's address without a virtual host: the default one.
    pub(crate) fn amqp_url(&self) -> String {
        format!("amqp://{USER}:{}@127.0.0.1:{}", self.password, self.amqp)
    }

    /// The management API.
    pub(crate) fn management_url(&self) -> String {
        format!(
            "http://{USER}:{}@127.0.0.1:{}",
            self.password, self.management
        )
    }

    /// Starts both programs; [`Rabbit::is_ready`] tells when they answer.
    pub(crate) fn start(&self, supervisor: &mut Supervisor) -> anyhow::Result<()> {
        supervisor.start(self.epmd_spec())?;
        supervisor.start(self.node_spec())
    }

    /// Whether it takes clients, and requests to its management API.
    pub(crate) fn is_ready(&self) -> bool {
        http::accepts(self.amqp) && http::get(self.management, "/").is_some_and(|(s, _)| s == 200)
    }

    fn write_files(&self, cookie: &str) -> anyhow::Result<()> {
        for dir in ["mnesia", "log", "conf.d"] {
            std::fs::create_dir_all(self.home.join(dir))?;
        }
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&self.home, private)?;
        write_private(&self.home.join("rabbitmq.conf"), &self.configuration())?;
        std::fs::write(
            self.home.join("enabled_plugins"),
            "[rabbitmq_management].\n",
        )?;
        let cookie_file = self.home.join(".erlang.cookie");
        if !cookie_file.exists() {
            write_private(&cookie_file, cookie)?;
            // Erlang refuses a cookie that anybody but its owner can read.
            std::fs::set_permissions(&cookie_file, std::fs::Permissions::from_mode(0o400))?;
        }
        Ok(())
    }

    fn configuration(&self) -> String {
        format!(
            "default_user = {USER}\n\
             default_pass = {}\n\
             listeners.tcp.local = 127.0.0.1:{}\n\
             management.tcp.ip = 127.0.0.1\n\
             management.tcp.port = {}\n\
             vm_memory_high_watermark.absolute = 512MB\n\
             disk_free_limit.absolute = 500MB\n",
            self.password, self.amqp, self.management
        )
    }

    fn epmd_spec(&self) -> Spec {
        let port = self.epmd.to_string();
        let args = ["-port", &port, "-address", "127.0.0.1"];
        Spec {
            name: "epmd".to_owned(),
            program: self.programs.epmd.clone(),
            args: args.map(Into::into).into(),
            env: Vec::new(),
            without: names_with_prefix("ERL_"),
            account: None,
            output: Output::File(self.logs.join("epmd.log")),
            stop: Stop::Terminate,
            layer: EPMD_LAYER,
        }
    }

    fn node_spec(&self) -> Spec {
        let mut without = names_with_prefix("RABBITMQ_");
        without.extend(names_with_prefix("ERL_"));
        // A script that believes to run under systemd reports to it.
        without.push("NOTIFY_SOCKET".into());
        Spec {
            name: "rabbitmq".to_owned(),
            program: self.programs.sbin.join("rabbitmq-server"),
            args: Vec::new(),
            env: self.node_environment(),
            without,
            account: None,
            output: Output::File(self.logs.join("rabbitmq.log")),
            stop: Stop::Terminate,
            layer: NODE_LAYER,
        }
    }

    fn node_environment(&self) -> Vec<(String, String)> {
        let at = |name: &str| self.home.join(name).to_string_lossy().into_owned();
        let only_loopback = "-kernel inet_dist_use_interface {127,0,0,1}";
        [
            ("HOME", self.home.to_string_lossy().into_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
            ("RABBITMQ_NODENAME", NODE.to_owned()),
            ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_NODE_PORT", self.amqp.to_string()),
            ("RABBITMQ_DIST_PORT", self.distribution.to_string()),
            ("ERL_EPMD_PORT", self.epmd.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_MNESIA_BASE", at("mnesia")),
            ("RABBITMQ_LOG_BASE", at("log")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", at("enabled_plugins")),
            ("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf")),
            ("RABBITMQ_CONFIG_FILES", at("conf.d")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", at("advanced.config")),
            (
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                only_loopback.to_owned(),
            ),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}
