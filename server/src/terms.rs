//! What new connections and sessions are served by: limits, certificate, keys and pipelines. All of it is taken anew when the
//! server is asked to reload; what runs keeps what it began with.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result};
use dactyl_config::Config;

use crate::auth::{self, Auth};
use crate::client_address::Proxies;
use crate::descriptors;
use crate::own_names::OwnNames;
use crate::pipeline::{self, PipelineFile, Prepared};
use crate::reload::differences;
use crate::tls::{self, Tls};

/// A file that the configuration names is not what it must be: as wrong as the configuration itself.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct WrongFile(anyhow::Error);

/// One state of it. It does not change.
pub(crate) struct Terms {
    pub(crate) config: Arc<Config>,
    /// By name: the configured one and those that clients may ask for.
    pub(crate) pipelines: BTreeMap<String, Arc<Prepared>>,
    /// The configured one.
    pub(crate) default: Arc<Prepared>,
    /// Who may open a session.
    pub(crate) auth: Auth,
    /// What TLS is spoken with, if it is.
    pub(crate) tls: Option<Tls>,
    /// Under which pages of the server may open a WebSocket.
    pub(crate) names: OwnNames,
    pub(crate) proxies: Proxies,
}

impl Terms {
    /// Reads every file that the configuration names, and runs a frame through each pipeline. Those of `before` whose file is
    /// still the same are kept.
    ///
    /// # Errors
    ///
    /// What is wrong with the first thing that does not work, and how to mend it.
    pub(crate) fn prepare(config: Arc<Config>, before: Option<&Self>) -> Result<Self> {
        let tls = tls::load(&config.tls).map_err(WrongFile)?;
        let auth = Auth::load(&config).map_err(WrongFile)?;
        let load = |name: &str| -> Result<(String, Arc<Prepared>)> {
            let file = PipelineFile::find(name, &config.pipeline)?;
            let known = before.and_then(|before| before.pipelines.get(name));
            let prepared = match known.filter(|known| known.file == file) {
                Some(known) => Arc::clone(known),
                None => Arc::new(pipeline::prepare(file)?),
            };
            Ok((name.to_owned(), prepared))
        };
        // What is wrong with the configured one is said first.
        let mut pipelines = BTreeMap::new();
        for name in pipeline::offered(&config.pipeline) {
            if !pipelines.contains_key(name) {
                pipelines.extend([load(name)?]);
            }
        }
        let default =
            pipelines.get(&config.pipeline.name).context("pipeline.name is not among the pipelines")?;
        Ok(Self {
            default: Arc::clone(default),
            names: OwnNames::new(&config.server.names, tls.as_ref().and_then(Tls::certificate).cloned()),
            proxies: Proxies::new(&config.server.trusted_proxies),
            pipelines,
            auth,
            tls,
            config,
        })
    }

    /// Warns of what is as it was asked for and may not be what is wanted.
    pub(crate) fn warn(&self) {
        if let Some(exposure) = auth::exposure(&self.config) {
            tracing::warn!("{exposure}");
        }
        if let Some(shortage) = descriptors::shortage(&self.config.server, descriptors::raise_limit()) {
            tracing::warn!("{shortage}");
        }
    }

    /// What differs from `before`: keys of the configuration, and files of the same name with another content.
    pub(crate) fn news(&self, before: &Self) -> Vec<String> {
        let mut news: Vec<String> =
            differences(&self.config, &before.config).into_iter().map(str::to_owned).collect();
        let chain = |terms: &Self| terms.tls.as_ref().map(|tls| tls.chain.clone());
        if chain(self) != chain(before) {
            news.push("the certificate".to_owned());
        }
        if self.auth != before.auth {
            news.push("the keys".to_owned());
        }
        for (name, prepared) in &self.pipelines {
            if before.pipelines.get(name).is_some_and(|known| !Arc::ptr_eq(known, prepared)) {
                news.push(format!("pipeline {name}"));
            }
        }
        news
    }
}

/// The terms that hold now: the only place that says so.
pub(crate) struct InForce(RwLock<Arc<Terms>>);

impl InForce {
    pub(crate) fn new(terms: Terms) -> Self {
        Self(RwLock::new(Arc::new(terms)))
    }

    pub(crate) fn get(&self) -> Arc<Terms> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, terms: Terms) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(terms);
    }
}
