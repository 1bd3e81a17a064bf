//! What the attacker does, in whole: she writes, and goes on changing what she has written.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::eve::Eve;
use super::poison::{ANNOTATION, CARRIERS, FORMS, Form, crowded, object, selecting};
use crate::drills::listed::until_listed;
use crate::spec::case::{MARK, with};

/// An attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Every form of poison in every kind that can carry it.
    All,
    /// One form in every kind.
    OfForm(Form),
    /// Every form in one kind.
    In(&'static str),
    /// As much as it takes to be killed for memory.
    Weight,
    /// A thousand objects, and labels that come and go.
    Crowd,
    /// Thousands of singletons.
    Singletons,
}

impl Attack {
    /// How the trials call it.
    pub fn name(self) -> String {
        match self {
            Self::All => "every poison in every kind".to_owned(),
            Self::OfForm(form) => format!("poison of the form {} in every kind", form.word()),
            Self::In(kind) => format!("every poison in a {kind}"),
            Self::Weight => "very heavy objects".to_owned(),
            Self::Crowd => "a thousand poisoned objects and labels that come and go".to_owned(),
            Self::Singletons => "three thousand singletons".to_owned(),
        }
    }

    /// Writes all of it. Says what there is to change.
    pub async fn write(self, eve: &Eve<'_>) -> Result<Vec<(&'static str, String)>> {
        let mut written = Vec::new();
        let namespace = &eve.place().namespace;
        // The first singleton of a namespace is judged, and the largest reviews are not read.
        eve.create(&object("StatefulSet", "first", "true", namespace)).await?;
        until_listed(&eve.place().lab.client(), namespace).await?;
        match self {
            Self::All | Self::OfForm(_) | Self::In(_) => {
                for form in FORMS.into_iter().filter(|form| !matches!(self, Self::OfForm(only) if only != *form)) {
                    for kind in CARRIERS.into_iter().filter(|kind| !matches!(self, Self::In(only) if only != *kind)) {
                        written.extend(form.write(eve, kind, 0).await?.map(|name| (kind, name)));
                    }
                }
            }
            Self::Weight => {
                let selectors = (0..40).map(|number| {
                    let name = format!("selector-{number}");
                    with(&object("Service", &name, "", namespace), selecting("Service", &name))
                });
                let annotation = json!({"metadata": {"annotations": {"a": "<".repeat(ANNOTATION)}}});
                let annotations = (0..200).map(|number| {
                    with(&object("Service", &format!("annotation-{number}"), "", namespace), annotation.clone())
                });
                let environment = json!({"spec": {"template": {"spec": crowded()}}});
                let environments = (0..60).map(|number| {
                    with(
                        &object("StatefulSet", &format!("environment-{number}"), "true", namespace),
                        environment.clone(),
                    )
                });
                eve.create_all(selectors.chain(annotations).chain(environments)).await?;
                written.extend((0..40).map(|number| ("Service", format!("selector-{number}"))));
                written.extend((0..60).map(|number| ("StatefulSet", format!("environment-{number}"))));
            }
            Self::Crowd => {
                let names = (0..CROWD / 2).flat_map(|number| [("Service", number), ("PodDisruptionBudget", number)]);
                eve.in_parallel(names, async |(kind, number)| Form::Date.write(eve, kind, number).await.map(drop))
                    .await?;
                for number in 0..10 {
                    for kind in ["StatefulSet", "ReplicaSet", "Deployment", "ReplicationController"] {
                        written.extend(Form::Date.write(eve, kind, number).await?.map(|name| (kind, name)));
                    }
                    written
                        .extend(Form::Date.write(eve, "Service", CROWD + number).await?.map(|name| ("Service", name)));
                }
            }
            Self::Singletons => {
                eve.create_all(
                    (0..3_000).map(|number| object("StatefulSet", &format!("s{number}"), "true", namespace)),
                )
                .await?;
                written.extend((0..50).map(|number| ("StatefulSet", format!("s{number}"))));
            }
        }
        Ok(written)
    }

    /// Changes one after the other for ever.
    pub async fn go_on(self, eve: &Eve<'_>, written: &[(&'static str, String)]) -> Result<()> {
        for round in 0.. {
            for (kind, name) in written {
                match self {
                    Self::Crowd if *kind == "Service" => {
                        let selector = json!({"spec": {"selector": {"app": format!("app-{round}")}}});
                        eve.patch(kind, name, &selector).await?.success()?;
                    }
                    // Strict is not to be had back: the Pod template would need a key.
                    Self::Crowd => {
                        let mark = if round % 2 == 0 { Value::Null } else { "true".into() };
                        let labels = json!({"metadata": {"labels": {MARK: mark}}});
                        eve.patch(kind, name, &labels).await?.success()?;
                    }
                    _ => eve.touch(kind, name, round).await?,
                }
                tokio::time::sleep(self.pause()).await;
            }
        }
        Ok(())
    }

    fn pause(self) -> Duration {
        match self {
            // Each is several MiB for everybody who watches it.
            Self::Weight => Duration::from_millis(200),
            Self::Crowd => Duration::from_millis(10),
            _ => Duration::from_millis(50),
        }
    }
}

const CROWD: usize = 1_000;
