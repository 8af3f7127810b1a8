//! Everything that one configuration makes.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `outside` | DNS resolver, HTTPS client, plugin setup and signer |
//! | `two_schedulers` | `schedule = "auto"` where somebody else tells people |
//! | `warnings` | configurations that are valid but seldom intended |
//! | `error` | why a host cannot be started |

mod error;
mod outside;
mod two_schedulers;
mod warnings;

pub use error::ServeError;
pub use outside::setup;
pub(crate) use outside::{outside, setup_to_look, signer};
pub(crate) use two_schedulers::other_scheduler;

#[cfg(feature = "caldav")]
use crate::calendar_view::CalendarViews;
#[cfg(feature = "mail")]
use crate::mail::Mailer;
#[cfg(feature = "caldav")]
use crate::upstream::Upstream;
use crate::{
    admission::{Admission, TakesMail},
    capabilities::CapabilitiesDocument,
    config::{Config, Role},
    keys::Keys,
    login::{Users, UsersError},
    scheduling::{self, OurTransport, World},
    sender::Sender,
    shared::SharedState,
    sharing::Sharing,
    state_folder,
};
use convoke_dns::Resolver;
use convoke_ischedule::dkim;
use convoke_net::http_client::Client;
use convoke_plugin_host::{Plugins, Setup};
use convoke_scheduling::Scheduler;
#[cfg(feature = "caldav")]
use convoke_types::{Cursor, UserId};
#[cfg(feature = "caldav")]
use moka::sync::Cache;
use std::sync::Arc;

/// Calendars whose last cursor is remembered.
#[cfg(feature = "caldav")]
const REMEMBERED: u64 = 10_000;

/// What answers requests: the configuration, and all that was opened for it.
pub struct Instance {
    /// The configuration.
    pub config: Arc<Config>,
    /// The plugins.
    pub plugins: Arc<Plugins>,
    /// What happens with a message.
    pub scheduler: Scheduler<World>,
    /// HTTPS to other servers.
    pub client: Client,
    /// What we take.
    pub capabilities: CapabilitiesDocument,
    /// Name servers.
    pub dns: Resolver,
    /// Keys of peers.
    pub keys: Keys,
    /// Signs what we send; its public key is published.
    pub signer: Option<Arc<dkim::Signer>>,
    /// Who may hand in messages.
    pub users: Arc<Users>,
    /// Who may see the console.
    #[cfg(feature = "console")]
    pub(crate) admin_users: Users,
    /// Who may log in with a calendar program.
    #[cfg(feature = "caldav")]
    pub(crate) caldav_users: Users,
    /// The CalDAV server that the listener stands in front of.
    #[cfg(feature = "caldav")]
    pub(crate) upstream: Option<Arc<Upstream>>,
    /// Where the changes of a calendar end, by store and user: asked from there on, a store answers at once.
    #[cfg(feature = "caldav")]
    pub(crate) calendar_ends: Cache<(String, UserId), Cursor>,
    /// What was worked out of calendars.
    #[cfg(feature = "caldav")]
    pub(crate) calendar_views: CalendarViews,
    /// Who uses the state.
    pub(crate) sharing: Sharing,
    /// Admission control.
    pub admission: Admission,
    /// What outlives the configuration.
    pub shared: Arc<SharedState>,
}

impl Instance {
    /// Opens everything that `config` names, except sockets.
    pub async fn new(config: Config, shared: Arc<SharedState>) -> Result<Self, ServeError> {
        let config = Arc::new(config);
        let state = |error| ServeError::State {
            folder: config.server.state.clone(),
            error,
        };
        state_folder::make_state(&config.server.state).map_err(state)?;
        let token = state_folder::make_token(&config.server.state).map_err(state)?;
        let (dns, client) = outside(&config)?;
        let signer = config
            .signing
            .as_ref()
            .map(signer)
            .transpose()?
            .map(Arc::new);
        let logins = |role| logins(&config, role, &token, &shared);
        #[cfg(feature = "caldav")]
        let caldav_users = logins(Role::Caldav)?;
        #[cfg(feature = "console")]
        let admin_users = logins(Role::Admin)?;
        let users = logins(Role::Submission)?;
        let setup = Setup {
            metrics: shared.plugin_metrics.clone(),
            ..setup(&config)
        };
        let plugins = Arc::new(Plugins::open(&setup).await?);
        two_schedulers::refuse(&plugins).await?;
        warnings::warn(&config, &plugins)?;
        let sender = Sender::new(
            client.clone(),
            plugins.clone(),
            signer.clone(),
            shared.writes.clone(),
            shared.metrics.clone(),
        );
        #[cfg(feature = "caldav")]
        {
            let has_programs = config.listener(Role::Caldav).is_some();
            shared.program_inboxes.want(has_programs);
            shared.overwritten.want(has_programs);
        }
        #[cfg(feature = "mail")]
        shared
            .notices
            .want(config.mail.as_ref().map(|mail| mail.notify));
        let transport = OurTransport {
            sender,
            shared: shared.clone(),
            #[cfg(feature = "mail")]
            mailer: mailer(&config, &client, &plugins)?,
        };
        Ok(Self {
            scheduler: scheduling::scheduler(&config, &plugins, transport, &shared),
            capabilities: CapabilitiesDocument::new(&config, &plugins.state)
                .await
                .map_err(state)?,
            keys: Keys::new(
                config.verification.private_exchange.clone(),
                dns.clone(),
                client.clone(),
            ),
            dns,
            users: Arc::new(users),
            #[cfg(feature = "console")]
            admin_users,
            #[cfg(feature = "caldav")]
            upstream: (config.listener(Role::Caldav))
                .and_then(|listener| listener.upstream.clone())
                .map(|server| Arc::new(Upstream::new(server, client.clone()))),
            #[cfg(feature = "caldav")]
            caldav_users,
            #[cfg(feature = "caldav")]
            calendar_ends: Cache::new(REMEMBERED),
            #[cfg(feature = "caldav")]
            calendar_views: CalendarViews::default(),
            admission: Admission::new(
                &config.limits,
                match config.mail_listeners.first() {
                    Some(_) => TakesMail::Yes,
                    None => TakesMail::No,
                },
            ),
            sharing: Sharing::of(&config),
            shared,
            signer,
            client,
            plugins,
            config,
        })
    }

    /// What hands messages to the mail server; `None` without `[mail]`.
    #[cfg(feature = "mail")]
    pub fn mailer(&self) -> Option<&Arc<Mailer>> {
        use convoke_scheduling::Environment;
        self.scheduler.environment().transport().mailer.as_ref()
    }

    /// Reads again who may log in; takes a while.
    pub(crate) fn read_users_again(&self) -> Result<(), UsersError> {
        self.users.read_again()?;
        #[cfg(feature = "console")]
        self.admin_users.read_again()?;
        #[cfg(feature = "caldav")]
        self.caldav_users.read_again()?;
        Ok(())
    }

    /// Reads the certificates for other servers again.
    pub(crate) fn refresh_client(&self) -> Result<(), ServeError> {
        Ok(self
            .client
            .use_settings(outside::settings(&self.config, &self.dns)?)?)
    }
}

/// Who may log in at the listeners of a role.
fn logins(
    config: &Config,
    role: Role,
    token: &str,
    shared: &SharedState,
) -> Result<Users, UsersError> {
    let listener = config.listener(role);
    let file = listener.and_then(|listener| listener.users.as_deref());
    let own_domain = &config.server.domains[0];
    Users::new(token.to_owned(), file, own_domain, shared.attempts.clone())
}

#[cfg(feature = "mail")]
fn mailer(
    config: &Config,
    client: &Client,
    plugins: &Arc<Plugins>,
) -> Result<Option<Arc<Mailer>>, ServeError> {
    let Some(mail) = &config.mail else {
        return Ok(None);
    };
    let patience = config.client.request_timeout;
    let mailer = Mailer::new(mail, client.clone(), plugins, patience);
    let mailer = mailer.map_err(|error| ServeError::MailPassword {
        file: mail
            .login
            .as_ref()
            .map(|login| login.password_file.clone())
            .unwrap_or_default(),
        error,
    })?;
    Ok(Some(Arc::new(mailer)))
}
