//! What the host offers to plugins, in its own process and in another.

use crate::world::{address, discovery, logged, setup};
use convoke_plugin_host::{Confinement, Isolation, PluginEntry, PluginState, Plugins, Setup};
use convoke_sdk::{Discovered, Domain, Error, Network, Trust, TrustedCertificate};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};
use tempfile::TempDir;

/// A host of one plugin, `NAME`, whose configuration and state lie in one folder.
struct Asked {
    folder: TempDir,
    setup: Setup,
    plugins: Plugins,
}

impl Asked {
    /// One after the other in the host's process and in another; `prepare` fills the folder of each.
    async fn everywhere(name: &str, config: &str, prepare: impl Fn(&Path)) -> [Self; 2] {
        let process = |folder: &Path| {
            Isolation::Process(Confinement {
                read: vec![folder.join("granted")],
                ..Confinement::default()
            })
        };
        [
            Self::open(&format!("{name}-in"), config, &prepare, |_| {
                Isolation::InProcess
            })
            .await,
            Self::open(&format!("{name}-out"), config, &prepare, process).await,
        ]
    }

    async fn open(
        name: &str,
        config: &str,
        prepare: impl Fn(&Path),
        isolation: impl FnOnce(&Path) -> Isolation,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("granted")).unwrap();
        prepare(folder.path());
        let entry = PluginEntry {
            name: Some(name.to_owned()),
            isolation: isolation(folder.path()),
            ..discovery("test-asking", config)
        };
        let setup = Setup {
            folder: folder.path().to_owned(),
            state: folder.path().join("state"),
            network: Arc::new(|| Ok(network())),
            ..setup(vec![entry])
        };
        let plugins = opened(&setup).await;
        Self {
            folder,
            setup,
            plugins,
        }
    }

    fn name(&self) -> String {
        self.plugins.list()[0].name.clone()
    }

    async fn asks(&self, question: &str) -> Result<String, Error> {
        let who = address(&format!("{question}@example.com"));
        match self.plugins.discovery.discover(&who).await? {
            Discovered::Receivers(receivers) => {
                Ok(receivers[0].attributes.get("said").unwrap().to_owned())
            }
            other => panic!("{other:?}"),
        }
    }

    fn state(&self) -> PluginState {
        self.plugins.list()[0].state.clone()
    }

    /// What stands in the first series of a name, as it is shown.
    fn value(&self, family: &str) -> String {
        let families = self.setup.metrics.families();
        let family = families.iter().find(|it| it.name == family);
        family.map_or(String::new(), |it| it.series[0].value.to_string())
    }
}

async fn opened(setup: &Setup) -> Plugins {
    let plugins = Plugins::open(setup).await;
    plugins.unwrap_or_else(|errors| panic!("{errors}"))
}

fn network() -> Network {
    let mut network = Network::default();
    network.nameservers = vec!["192.0.2.7:5353".parse().unwrap()];
    network.trusted = vec![
        TrustedCertificate::new(vec![1, 2, 255], Trust::Authority),
        TrustedCertificate::new(vec![3], Trust::Pinned)
            .bound_to(vec![Domain::new("example.com").unwrap()]),
    ];
    network
}

fn private(file: &Path, text: &str, mode: u32) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_plugin_has_a_folder_of_its_own() {
    for asked in Asked::everywhere("folder", "", |_| {}).await {
        let name = asked.name();
        let folder = asked.folder.path().join("state/plugins").join(&name);
        let folder = folder.display().to_string();
        assert_eq!(asked.asks("folder").await, Ok(format!(" in {folder}")));
        let mode = fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        // What another use of it finds.
        let again = opened(&asked.setup).await;
        let asked = Asked {
            plugins: again,
            ..asked
        };
        assert_eq!(asked.asks("folder").await, Ok(format!("x in {folder}")));
    }
}

#[tokio::test]
async fn a_secret_is_read_for_whoever_may_and_shown_to_nobody() {
    let secret = |folder: &Path| private(&folder.join("granted/secret"), "hunter2\n", 0o600);
    for asked in Asked::everywhere("secret", "secret = 'granted/secret'", secret).await {
        assert_eq!(asked.asks("secret").await.as_deref(), Ok("hunter2"));
        assert_eq!(asked.asks("shown").await.as_deref(), Ok("Secret(…)"));
        let file = asked.folder.path().join("granted/secret");
        private(&file, "hunter2\n", 0o644);
        let refused = asked.asks("secret").await.unwrap_err();
        assert!(refused.message().contains("run: chmod o-rwx"), "{refused}");
        fs::remove_file(file).unwrap();
        let refused = asked.asks("secret").await.unwrap_err();
        assert!(refused.message().contains("granted/secret: "), "{refused}");
    }
}

#[tokio::test]
async fn a_process_reads_no_secret_that_it_is_not_granted() {
    let secret = |folder: &Path| private(&folder.join("secret"), "hunter2\n", 0o600);
    let [inside, outside] = Asked::everywhere("not-granted", "", secret).await;
    assert_eq!(inside.asks("secret").await.as_deref(), Ok("hunter2"));
    let refused = outside.asks("secret").await.unwrap_err();
    assert!(refused.message().contains("Permission denied"), "{refused}");
}

#[tokio::test]
async fn a_plugin_learns_how_the_host_reaches_others() {
    for asked in Asked::everywhere("network", "", |_| {}).await {
        assert_eq!(asked.asks("network").await, Ok(format!("{:?}", network())));
    }
}

#[tokio::test]
async fn what_a_plugin_counts_is_counted_on_whoever_has_it_open() {
    for asked in Asked::everywhere("counts", "", |_| {}).await {
        let name = asked.name();
        for question in ["a", "letters", "b"] {
            asked.asks(question).await.unwrap();
        }
        let families = asked.setup.metrics.families();
        let names: Vec<_> = families.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["asked_total", "last_letters", "lengths"]);
        assert_eq!(families[0].help, "How often it was asked.");
        assert_eq!(families[0].series[0].plugin, name);
        assert_eq!(
            families[1].series[0].labels,
            [("of".to_owned(), "it".to_owned())]
        );
        let lengths = &families[2].series[0];
        assert_eq!(
            (lengths.count, &*lengths.buckets),
            (3, &[(6.0, 2), (100.0, 3)][..])
        );
        assert_eq!(
            [
                asked.value("asked_total"),
                asked.value("last_letters"),
                lengths.value.to_string()
            ],
            ["3", "1", "9"]
        );
        // A reload: the other is open before this one is closed.
        let again = opened(&asked.setup).await;
        let asked = Asked {
            plugins: again,
            ..asked
        };
        asked.asks("c").await.unwrap();
        assert_eq!(asked.value("asked_total"), "4");
    }
}

#[tokio::test]
async fn a_plugin_that_counts_too_much_is_told_once() {
    for asked in Asked::everywhere("too-many", "", |_| {}).await {
        for question in ["wrong", "wrong", "many", "many"] {
            asked.asks(question).await.unwrap();
        }
        let families = asked.setup.metrics.families();
        let series: usize = families.iter().map(|it| it.series.len()).sum();
        assert_eq!(series, 100);
        let name = asked.name();
        let log = logged();
        let told = |metric: &str| {
            let mut lines = log.lines().filter(|line| {
                line.contains("plugin-metric-refused")
                    && line.contains(&format!("plugin={name} "))
                    && line.contains(metric)
            });
            (lines.next().map(str::to_owned), lines.count())
        };
        let (many, more) = told("many_total");
        assert!(
            many.unwrap().contains("has 100 series already") && more == 0,
            "{log}"
        );
        let (wrong, more) = told("wrong name");
        assert!(
            wrong.unwrap().contains("is no name for it") && more == 0,
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_plugin_says_how_it_is() {
    let config = "degraded = 'the list is old'";
    for asked in Asked::everywhere("health", config, |_| {}).await {
        let name = asked.name();
        let said = |event: &str| {
            let plugin = format!("plugin={name}");
            let log = logged();
            let lines = log
                .lines()
                .filter(|it| it.contains(event) && it.contains(&plugin));
            lines.count()
        };
        let degraded = |reason: &str| PluginState::Degraded {
            reason: reason.to_owned(),
        };
        assert_eq!(asked.state(), degraded("the list is old"));
        assert_eq!(said("plugin-degraded"), 1);
        for _ in 0..2 {
            asked.asks("degraded").await.unwrap();
        }
        assert_eq!(asked.state(), degraded("the server is away"));
        assert_eq!(said("plugin-degraded"), 2);
        for _ in 0..2 {
            asked.asks("healthy").await.unwrap();
        }
        assert_eq!(asked.state(), PluginState::Ready);
        assert_eq!(said("plugin-healthy"), 1);
    }
}

/// What a process said of itself ends with it.
#[tokio::test]
async fn the_health_of_a_process_that_ended_is_forgotten() {
    let [_, outside] = Asked::everywhere("ends", "", |_| {}).await;
    outside.asks("degraded").await.unwrap();
    assert!(matches!(outside.state(), PluginState::Degraded { .. }));
    outside.asks("end").await.unwrap_err();
    outside.asks("again").await.unwrap();
    assert_eq!(outside.state(), PluginState::Ready);
}
