//! Reading a review. What a decision does not need is skipped; what it needs and cannot be read is an error that
//! still carries the uid where there is one, so that the user gets our words and not a failed call.

use std::borrow::Cow;
use std::ops::Deref;

use crate::api::json;
use crate::api::json::{few, object, required_object, some_object};
use crate::api::kind::{Kinds, Resource, SPEC_REPLICAS};
use crate::api::metadata::Metadata;
use crate::api::object::Object;
use crate::api::path::find;
use crate::api::replicas::Replicas;
use crate::api::text::clip;
use crate::policy::request::{Operation, Request, Subresource};

/// The uid of a review: the answer must repeat it, or the API server takes the call as failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uid<'a>(Cow<'a, str>);

/// A review that was understood.
#[derive(Debug, Clone)]
pub struct Review<'a> {
    /// Its uid.
    pub uid: Uid<'a>,
    /// What somebody wants to do.
    pub request: Request<'a>,
}

/// A review that was not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the AdmissionReview could not be read: {cause}")]
pub struct Unreadable {
    /// Its uid, where at least that could be read.
    pub uid: Option<String>,
    /// What is wrong with it.
    pub cause: String,
}

/// Reads the body of a call, about one of these kinds or about another.
///
/// ```
/// # use singleton_guard::api::kind::Kinds;
/// # use singleton_guard::review::read;
/// // The new object is missing. The uid could be read, so the user gets an answer in words.
/// let body = br#"{"kind": "AdmissionReview", "request": {"uid": "1", "operation": "CREATE",
///     "resource": {"group": "apps", "version": "v1", "resource": "deployments"}}}"#;
/// let unreadable = read(body, Kinds::BUILT_IN).unwrap_err();
/// assert_eq!(unreadable.uid.as_deref(), Some("1"));
/// assert_eq!(unreadable.cause, "request.object is missing");
/// ```
///
/// # Errors
/// [`Unreadable`]: not an `AdmissionReview`, a field of another type than Kubernetes gives it, a key that comes twice,
/// or an object missing where the operation has one.
pub fn read(body: &[u8], kinds: Kinds) -> Result<Review<'_>, Unreadable> {
    // Checked once, as a whole: string by string it costs a sixth of a small review.
    let text = simdutf8::compat::from_utf8(body).map_err(|error| unreadable(body, &error.to_string()))?;
    match serde_json::from_str::<json::Object<AdmissionReview<'_, Object<'_>>>>(text) {
        Ok(json::Object(review)) => understood(review, |object| object, text, kinds),
        Err(error) => match of_others(text, kinds) {
            Some(review) => understood(review, OnlyMetadata::object, text, kinds),
            None => Err(unreadable(body, &error.to_string())),
        },
    }
}

/// The review, whose objects become what a request has by `as_object`.
fn understood<'a, O>(
    review: AdmissionReview<'a, O>,
    as_object: impl Fn(Box<O>) -> Box<Object<'a>>,
    text: &'a str,
    kinds: Kinds,
) -> Result<Review<'a>, Unreadable> {
    if review.kind != "AdmissionReview" {
        return Err(unreadable(text.as_bytes(), &format!("its kind is {:?}, not \"AdmissionReview\"", review.kind)));
    }
    let AdmissionRequest {
        uid,
        resource,
        sub_resource,
        name,
        namespace,
        operation,
        user_info,
        dry_run,
        object,
        old_object,
    } = review.request;
    let operation = match operation.as_ref() {
        "CREATE" => Operation::Create,
        "UPDATE" => Operation::Update,
        _ => Operation::Other,
    };
    let (mut object, mut old_object) = (object.map(&as_object), old_object.map(&as_object));
    if let Some(field) = missing(operation, object.is_some(), old_object.is_some()) {
        return Err(Unreadable { uid: Some(uid.into_owned()), cause: format!("request.{field} is missing") });
    }
    // The API server leaves the name out where it is generated; by the validating phase the object has it.
    let name = match (&object, name) {
        (Some(object), name) if name.is_empty() => object.metadata.name.clone(),
        (_, name) => name,
    };
    let (resource, subresource) = (kinds.find(&resource.group, &resource.resource), Subresource::parse(&sub_resource));
    if let Resource::Guarded(kind) = resource
        && (kind.info().custom.is_some() || kind.info().replicas.path != SPEC_REPLICAS.path)
        && subresource != Subresource::Scale
    {
        read_elsewhere(&mut object, &mut old_object, kind.info().replicas.path, text)
            .map_err(|error| unreadable(text.as_bytes(), &error.to_string()))?;
    }
    let request = Request {
        operation,
        resource,
        subresource,
        namespace,
        name,
        user: user_info.username,
        groups: user_info.groups,
        dry_run: dry_run.unwrap_or_default(),
        object,
        // Never trusted on CREATE.
        old_object: old_object.filter(|_| operation == Operation::Update),
    };
    Ok(Review { uid: Uid(uid), request })
}

/// The field without which a request of this verb cannot be judged.
const fn missing(operation: Operation, has_object: bool, has_old_object: bool) -> Option<&'static str> {
    match operation {
        Operation::Create | Operation::Update if !has_object => Some("object"),
        Operation::Update if !has_old_object => Some("oldObject"),
        _ => None,
    }
}

impl Deref for Uid<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A review about a kind of others, whose fields may have any type: no more than the metadata is read of them.
#[cold]
fn of_others<'a>(text: &'a str, kinds: Kinds) -> Option<AdmissionReview<'a, OnlyMetadata<'a>>> {
    let json::Object::<AdmissionReview<'a, OnlyMetadata<'a>>>(review) = serde_json::from_str(text).ok()?;
    let GroupVersionResource { group, resource } = &review.request.resource;
    let Resource::Guarded(kind) = kinds.find(group, resource) else { return None };
    kind.info().custom.is_some().then_some(review)
}

/// Reads the number of replicas where the kind has it. A Scale has it where most kinds have it.
#[cold]
fn read_elsewhere<'a>(
    object: &mut Option<Box<Object<'a>>>,
    old_object: &mut Option<Box<Object<'a>>>,
    path: &str,
    text: &'a str,
) -> Result<(), serde_json::Error> {
    for (object, at) in [(object, "request.object"), (old_object, "request.oldObject")] {
        if let Some(object) = object {
            object.spec.replicas = find(text, &format!("{at}.{path}"))?.map(Replicas::from).unwrap_or_default();
        }
    }
    Ok(())
}

/// The uid alone, from a body whose other parts are not as expected.
fn unreadable(body: &[u8], cause: &str) -> Unreadable {
    #[derive(serde::Deserialize)]
    struct Envelope {
        request: UidOnly,
    }
    #[derive(serde::Deserialize)]
    struct UidOnly {
        uid: String,
    }
    let uid = serde_json::from_slice::<Envelope>(body).ok().map(|envelope| envelope.request.uid);
    Unreadable { uid: uid.filter(|uid| !uid.is_empty()), cause: clip(cause, CAUSE_MAX) }
}

#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "O: serde::Deserialize<'de>, 'de: 'a"))]
struct AdmissionReview<'a, O> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(deserialize_with = "required_object")]
    request: AdmissionRequest<'a, O>,
}

/// An object of which only the metadata is read.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct OnlyMetadata<'a> {
    #[serde(borrow, deserialize_with = "object")]
    metadata: Metadata<'a>,
}

impl<'a> OnlyMetadata<'a> {
    fn object(self: Box<Self>) -> Box<Object<'a>> {
        Box::new(Object { metadata: self.metadata, ..Object::default() })
    }
}

/// `AdmissionRequest` of `admission.k8s.io/v1`. `requestResource` and its like say what the user called; `resource`
/// says what the object was converted to, and that is what we read.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "O: serde::Deserialize<'de>, 'de: 'a"))]
struct AdmissionRequest<'a, O> {
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "required_object")]
    resource: GroupVersionResource<'a>,
    #[serde(borrow, default)]
    sub_resource: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "object")]
    user_info: UserInfo<'a>,
    #[serde(default)]
    dry_run: Option<bool>,
    // Boxed: every step that hands this struct on would copy them.
    #[serde(default, deserialize_with = "some_object")]
    object: Option<Box<O>>,
    #[serde(default, deserialize_with = "some_object")]
    old_object: Option<Box<O>>,
}

#[derive(serde::Deserialize)]
struct GroupVersionResource<'a> {
    #[serde(borrow, default)]
    group: Cow<'a, str>,
    #[serde(borrow)]
    resource: Cow<'a, str>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct UserInfo<'a> {
    #[serde(borrow)]
    username: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "few")]
    groups: Vec<Cow<'a, str>>,
}

/// What a parser says is short, but for the text of the body that it quotes.
const CAUSE_MAX: usize = 256;
