//! A Kubernetes watch as a loop sees it: `next().await` until it ends.
//!
//! One request, one stream. It does not list, does not retry and keeps nothing: who uses it decides what an end means.
//! See "Efficient detection of changes" in the Kubernetes API concepts.

use std::marker::PhantomData;

use anyhow::{Context as _, Result};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::api::{WatchEvent, WatchParams};
use kube::client::Body;
use kube::core::Request;
use serde::de::DeserializeOwned;

/// The events of one collection from one revision on.
#[derive(Debug)]
pub(crate) struct Watch<K> {
    body: Body,
    /// What has arrived of the next event: one JSON document per line.
    buffer: Vec<u8>,
    event: PhantomData<fn() -> K>,
}

impl<K: DeserializeOwned> Watch<K> {
    /// Starts to watch the collection at `path`, such as `/api/v1/pods`, after `resource_version`.
    pub(crate) async fn open(
        client: &Client,
        path: &str,
        params: &WatchParams,
        resource_version: &str,
    ) -> Result<Self> {
        let request = Request::new(path).watch(params, resource_version)?;
        let response = client.send(request.map(Body::from)).await.with_context(|| format!("watching {path}"))?;
        let status = response.status();
        let mut watch = Self { body: response.into_body(), buffer: Vec::new(), event: PhantomData };
        if !status.is_success() {
            let said = watch.line().await?.unwrap_or_default();
            anyhow::bail!("watching {path}: {status}: {}", String::from_utf8_lossy(&said));
        }
        Ok(watch)
    }

    /// The next event, or `None` when the server has ended the watch. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<WatchEvent<K>>> {
        let Some(line) = self.line().await? else { return Ok(None) };
        let event = serde_json::from_slice(&line).context("reading a watch event")?;
        Ok(Some(event))
    }

    async fn line(&mut self) -> Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            let fresh = self.buffer.get(searched..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|&byte| byte == b'\n') {
                let rest = self.buffer.split_off(searched + at + 1);
                return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
            }
            searched = self.buffer.len();
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame.context("reading a watch")?.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                // What is left is half an event, or an error document without a line end.
                None if self.buffer.is_empty() => return Ok(None),
                None => return Ok(Some(std::mem::take(&mut self.buffer))),
            }
        }
    }
}
