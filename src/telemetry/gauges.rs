//! Gauges of two kinds that the library does not have.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::Gauge;

/// A point in time, in seconds since 1970. There is no sample until it is set.
#[derive(Debug, Clone, Default)]
pub(super) struct Moment(Gauge<f64, AtomicU64>);

/// Something counted as under way until it is dropped.
#[derive(Debug)]
pub struct UnderWay(Gauge);

impl Moment {
    pub(super) fn set(&self, at: SystemTime) {
        self.0.set(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
    }
}

impl EncodeMetric for Moment {
    fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        if self.is_empty() { Ok(()) } else { self.0.encode(encoder) }
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        // Neither a certificate nor a file of ours is from 1970.
        self.0.get() <= 0.0
    }
}

impl UnderWay {
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}
