//! What the administrator writes under `config`.

use crate::url::{self, Target};
use convoke_sdk::{Secret, prelude::*};
use std::{path::PathBuf, time::Duration};

convoke_sdk::config! {
    /// What the administrator writes under `config`, of both plugins.
    #[derive(Clone, Debug)]
    pub struct Config {
        /// Where PostgreSQL is, as libpq writes it: `postgres://user@host1,host2:5433/database`. Its parameters are libpq's, too:
        /// `target_session_attrs`, `connect_timeout`, `sslmode`…
        pub url: String,
        /// A file whose first line is the password. Others must not be able to read it.
        pub password_file: Option<PathBuf>,
        /// Whether TLS is spoken, and what the server has to show: `disable`, `prefer` (the default), `require`, `verify-ca` or
        /// `verify-full`. May stand in the URL instead.
        pub sslmode: Option<String>,
        /// A file of certificates, PEM, whose servers are believed, and no others; without it, those that the system and the host
        /// believe. May stand in the URL instead.
        pub sslrootcert: Option<PathBuf>,
        /// The most connections at once, 1 to 1000, beside one that listens.
        pub connections: u32 = 10,
        /// Seconds after which a statement is given up, 1 to 600.
        pub statement_timeout: u32 = 10,
    }
}

/// A configuration that was read.
pub(crate) struct Settings {
    pub(crate) target: Target,
    pub(crate) connections: usize,
    /// After so long a statement is given up.
    pub(crate) statement_timeout: Duration,
}

impl Config {
    /// Reads the URL, and the files that are named.
    pub(crate) fn read(&self, host: &Host) -> Result<Settings> {
        let connections = within("connections", self.connections, 1000)?;
        let statement_timeout = within("statement_timeout", self.statement_timeout, 600)?;
        let mut target = url::read(&self.url, self.sslmode.as_deref())?;
        if let Some(file) = &self.sslrootcert {
            if target.root.is_some() {
                return Err(Error::invalid(
                    "`sslrootcert` stands in `config.url` and in `config.sslrootcert`; write it once",
                ));
            }
            target.root = Some(file.clone());
        }
        target.root = target.root.map(|root| match root.to_str() {
            // libpq's word for the system's own.
            Some("system") => root,
            _ => host.path(root),
        });
        if let Some(file) = &self.password_file {
            let password = host.secret(file)?;
            set_password(&mut target, &password)?;
        }
        let postgres = &mut target.postgres;
        if postgres.get_connect_timeout().is_none() {
            postgres.connect_timeout(Duration::from_secs(5));
        }
        if postgres.get_tcp_user_timeout().is_none() {
            postgres.tcp_user_timeout(Duration::from_secs(u64::from(self.statement_timeout)));
        }
        // A connection that waits for news would not notice for hours that the other side is gone.
        postgres.keepalives_idle(Duration::from_secs(30));
        if postgres.get_application_name().is_none() {
            postgres.application_name("convoke");
        }
        Ok(Settings {
            target,
            connections: usize::try_from(connections).unwrap_or(usize::MAX),
            statement_timeout: Duration::from_secs(u64::from(statement_timeout)),
        })
    }
}

fn within(key: &str, value: u32, most: u32) -> Result<u32> {
    if (1..=most).contains(&value) {
        return Ok(value);
    }
    Err(Error::invalid(format!(
        "`config.{key}` is {value}; write a number from 1 to {most}"
    )))
}

fn set_password(target: &mut Target, password: &Secret) -> Result<()> {
    if target.postgres.get_password().is_some() {
        return Err(Error::invalid(
            "there is a password in `config.url` and one in `config.password_file`; take it out of the URL",
        ));
    }
    target.postgres.password(password.bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    fn config(url: &str) -> Config {
        toml::from_str(&format!("url = '{url}'")).unwrap()
    }

    fn secret(folder: &Path) {
        let file = folder.join("db.password");
        fs::write(&file, "hunter2\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn a_password_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        secret(folder.path());
        let host = Host::for_tests_without_index(folder.path());
        let mut config = config("postgres://convoke@db/convoke");
        config.password_file = Some("db.password".into());
        let settings = config.read(&host).unwrap();
        assert_eq!(
            settings.target.postgres.get_password(),
            Some(&b"hunter2"[..])
        );
        config.url = "postgres://convoke:other@db/convoke".to_owned();
        let error = config.read(&host).err().unwrap();
        assert!(
            error.message().contains("`config.password_file`"),
            "{error}"
        );
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        type Change = fn(&mut Config);
        let host = Host::for_tests_without_index("/");
        let url = "postgres://convoke@db/convoke";
        let cases: [(&str, Change); 5] = [
            ("`config.connections`", |it| it.connections = 0),
            ("`config.statement_timeout`", |it| {
                it.statement_timeout = 601;
            }),
            ("`config.sslmode`", |it| it.sslmode = Some("always".into())),
            ("`config.url`", |it| it.url = "mysql://db/".into()),
            ("no-such.password", |it| {
                it.password_file = Some("no-such.password".into());
            }),
        ];
        for (named, change) in cases {
            let mut config = config(url);
            change(&mut config);
            let error = config.read(&host).err().expect(named);
            assert!(error.message().contains(named), "{named}: {error}");
        }
    }
}
