"""What the server counts and measures, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

MEDIA_TYPE = CONTENT_TYPE_LATEST
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")  # a client may make up others without end
_JOB_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_FIRST_BYTE_SECONDS = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10)
_REAL_TIME_FACTORS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10)


class Metrics:
    """The measurements of one server, in a registry of its own. Any thread may add to them.

    >>> metrics = Metrics()
    >>> metrics.worker_restarted("speech")
    >>> b'audio_ml_worker_restarts_total{worker="speech"} 1.0' in metrics.exposition({}, [])
    True
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        count, histogram = self._counter, self._histogram
        self._ended = count("jobs_ended", "Jobs that have ended.", "task", "state")
        self._waiting = histogram("job_waiting_seconds", "Wait for a worker.", _JOB_SECONDS, "task")
        self._working = histogram("job_working_seconds", "Work on a job.", _JOB_SECONDS, "task")
        self._sound = count("sound_seconds", "Sound that was made or separated.", "task", "model")
        self._factor = histogram(
            "real_time_factor", "Work in seconds for a second of sound.", _REAL_TIME_FACTORS, "task", "model"
        )
        self._errors = count("errors", "Errors by type, of jobs and of streams of speech.", "type")
        self._restarts = count("worker_restarts", "Worker processes that ended by themselves.", "worker")
        self._requests = count("http_requests", "Requests that were answered.", "method", "route", "status")
        self._seconds = histogram(
            "http_request_seconds", "Until a reply was complete.", _REQUEST_SECONDS, "method", "route"
        )
        self._first_byte = histogram(
            "speech_first_byte_seconds", "Until the first byte of speech.", _FIRST_BYTE_SECONDS
        )

    def job_ended(
        self,
        task: str,
        state: str,
        seconds_waiting: float | None,
        seconds_working: float | None,
        sound_seconds: float | None = None,
        *,
        model: str = "",
        error: str | None = None,
    ) -> None:
        """Notes a job, or a stream of speech, that has ended; None for what it never came to.

        `error` is the type of what it failed with, `sound_seconds` the length of what was read or made.
        """
        self._ended.labels(task, state).inc()
        if seconds_waiting is not None:
            self._waiting.labels(task).observe(seconds_waiting)
        if seconds_working is not None:
            self._working.labels(task).observe(seconds_working)
        if sound_seconds:
            self._sound.labels(task, model).inc(sound_seconds)
            if seconds_working is not None and state == "done":
                self._factor.labels(task, model).observe(seconds_working / sound_seconds)
        if error is not None:
            self.error(error)

    def error(self, type: str) -> None:
        """Notes an error by the name of its class."""
        self._errors.labels(type).inc()

    def worker_restarted(self, name: str) -> None:
        """Notes that a worker ended by itself and is begun anew."""
        self._restarts.labels(name).inc()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Notes a reply; `route` is the pattern that the path fitted ("/v1/jobs/{id}"), "" for none."""
        method = method if method in METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def speech_first_byte(self, seconds: float) -> None:
        """Notes how long the first byte of speech took from the request."""
        self._first_byte.observe(seconds)

    def exposition(self, counts: Mapping[str, Mapping[str, int]], workers: Sequence[Mapping[str, Any]]) -> bytes:
        """Returns everything as text: what was measured, the jobs now by lane and state, and the workers' memory."""
        now = CollectorRegistry()
        now.register(_Now(counts, workers))
        return generate_latest(self.registry) + generate_latest(now)

    def _counter(self, name: str, help: str, *labels: str) -> Counter:
        return Counter(f"audio_ml_{name}", help, labels, registry=self.registry)

    def _histogram(self, name: str, help: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"audio_ml_{name}", help, labels, registry=self.registry, buckets=buckets)


class _Now(Collector):
    """What is read at the moment rather than counted."""

    def __init__(self, counts: Mapping[str, Mapping[str, int]], workers: Sequence[Mapping[str, Any]]) -> None:
        self._counts, self._workers = counts, workers

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("audio_ml_jobs", "Jobs by lane and state.", labels=("lane", "state"))
        for lane, states in self._counts.items():
            for state, n in states.items():
                jobs.add_metric((lane, state), n)
        yield jobs
        yield self._of_workers("audio_ml_worker_up", "Whether a worker runs.", lambda worker: worker["pid"] is not None)
        yield self._of_workers(
            "audio_ml_memory_budget_bytes",
            "Memory that a worker's models may take together.",
            lambda worker: worker["memory_budget"],
        )
        memory = GaugeMetricFamily(
            "audio_ml_model_memory_bytes", "Memory that a model takes.", labels=("worker", "model", "device")
        )
        for worker in self._workers:
            for model in worker["models"]:
                memory.add_metric((worker["name"], model["name"], model["device"]), model["n_bytes"])
        yield memory
        evictions = CounterMetricFamily(
            "audio_ml_model_evictions", "Models that had to go for others, since the worker began.", labels=("worker",)
        )
        for worker in self._workers:
            if worker.get("n_evicted") is not None:
                evictions.add_metric((worker["name"],), worker["n_evicted"])
        yield evictions

    def _of_workers(
        self, name: str, help: str, value: Callable[[Mapping[str, Any]], float | None]
    ) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, help, labels=("worker",))
        for worker in self._workers:
            if (told := value(worker)) is not None:
                family.add_metric((worker["name"],), told)
        return family
