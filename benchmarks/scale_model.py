"""How long harvests of an organization take, what bounds them, and what they cost: pure functions in closed form."""

import math
from collections.abc import Mapping
from statistics import NormalDist, fmean
from typing import Any, Final, TypeVar

from attrs import evolve, field, fields_dict, frozen

PROJECTS_AT_ONCE: Final = 6
"""Projects that discovery reads concurrently."""

LOOK_BACK: Final = 1_000
"""Pipelines of an organization in which its projects are looked up."""

MIB: Final = 1024 * 1024
PART: Final = 8 * MIB
"""Bytes of one part of a multipart upload. Larger files are uploaded in parts."""

RANGES: Final = 64 * MIB
"""Bytes from which a file is downloaded over `MAX_RANGES` connections."""

MAX_RANGES: Final = 8
MAX_UPLOADS: Final = 4
"""Parts of a file that are uploaded at once."""

MAX_FILES: Final = 2048
"""Files that Dask workers download at once, all together."""

JOBS: Final = (0.2, 0.6, 1.0, 1.4, 1.8)
ARTIFACTS: Final = (0.0, 1.0, 1.0, 2.0)
"""Multiples of the mean that workflows have of jobs, and jobs of artifacts, if these are uneven."""

MAX_FILE: Final = 3_000_000_000
"""Bytes of the largest artifact."""

PUT_RATE: Final = 3_500.0
GET_RATE: Final = 5_500.0
"""Requests per second that S3 guarantees for one prefix: PUT, COPY, POST and DELETE; GET and HEAD."""

SEGMENT_INTERVAL: Final = 30.0
"""Seconds between two segments of a ledger in a bucket."""

RENEWAL_INTERVAL: Final = 20.0
"""Seconds between two renewals of its lease."""

KINDS: Final = ("artifacts", "logs", "tests", "builds")


def given(default: Any, text: str) -> Any:
    """Return a field with a default, and the text that `--help` prints."""
    return field(default=default, metadata={"help": text})


@frozen(kw_only=True)
class Organization:
    """What an organization builds: means. With whole numbers the counts of requests are exact."""

    projects: int = given(300, "projects of the organization")
    pipelines: float = given(500.0, "pipelines of a project in 30 days")
    workflows: float = given(1.0, "workflows of a pipeline")
    jobs: float = given(5.0, "jobs of a workflow, without approvals")
    artifacts: float = given(4.0, "artifacts of a job")
    size: float = given(1e6, "mean size of an artifact, bytes")
    spread: float = given(2.0, "sigma of the log-normal distribution of sizes; 0: all have the mean size")
    steps: float = given(8.0, "steps of a job with output, over all nodes")
    log_size: float = given(20e3, "mean size of the output of a step, bytes")
    tests: float = given(100.0, "test results of a job")
    reruns: float = given(0.05, "reruns between two harvests, as a share of the new pipelines")
    rerun_jobs: float = given(0.5, "share of the jobs of a workflow that a rerun runs again")
    running: float = given(0.02, "share of the new pipelines with a job that runs during the harvest")
    days: float = given(30.0, "days for which CircleCI keeps artifacts")
    uneven: bool = given(True, "workflows have different numbers of jobs, and jobs of artifacts; no: all the mean")
    by_slug: bool = given(True, "name the projects; no: their organization, which lists them")


@frozen(kw_only=True)
class Setup:
    """How it is harvested. The CPU times are measured on the reader's machine by `python -m benchmarks scale`."""

    what: str = given("artifacts", "kinds to harvest, separated by commas: " + ", ".join(KINDS))
    since: float = given(14.0, "age in days at which a nightly harvest stops listing pipelines; 0: lists all")
    recheck: float = given(14.0, "age in days up to which pipelines are searched for reruns")
    interval: float = given(1.0, "days between two harvests")
    quota: float = given(50.0, "requests per second that the API allows the token")
    efficiency: float = given(0.9, "share of the quota that the limiter uses")
    latency: float = given(0.15, "seconds until the API has answered a request")
    page_size: int = given(20, "items of a page of the API")
    workers: int = given(1, "processes that download; 1: the calling process, more: Dask workers")
    concurrency: int = given(32, "requests in flight of one process")
    storage_latency: float = given(0.15, "seconds until the first byte of an artifact, redirect included")
    bandwidth: float = given(20e6, "bytes per second of one connection to CircleCI's storage")
    network: float = given(125e6, "bytes per second of a worker, in each direction")
    put_latency: float = given(0.05, "seconds that the bucket takes to answer a PUT; 0: harvest into a folder")
    put_bandwidth: float = given(80e6, "bytes per second of one connection to the bucket")
    prefixes: int = given(1, "prefixes of the bucket over which the keys are spread evenly")
    cpu_file: float = given(0.0004, "CPU seconds of a worker for a file, its commit included")
    cpu_gigabyte: float = given(1.9, "CPU seconds of a worker for 10**9 bytes: receive, hash, write or send")
    cpu_list: float = given(0.0008, "CPU seconds of the caller for a request to the API")
    commits: float = given(20_000.0, "finished files per second that the caller records, for Dask workers")
    row: float = given(620.0, "bytes of the ledger for a file")


Given = TypeVar("Given", Organization, Setup)


def with_values(given: Given, values: Mapping[str, Any]) -> Given:
    """Return a copy with the values of the fields that it has."""
    return evolve(given, **{name: values[name] for name in fields_dict(type(given)) if name in values})


@frozen(kw_only=True)
class Requests:
    """The requests of one harvest. `api` counts against the quota; downloads and outputs do not."""

    projects: float = 0
    pipelines: float = 0
    workflows: float = 0
    jobs: float = 0
    artifacts: float = 0
    logs: float = 0
    tests: float = 0
    builds: float = 0
    outputs: float = 0
    """Outputs of steps, from the storage."""
    downloads: float = 0
    """Two for each artifact: the artifact host redirects to the storage."""

    @property
    def api(self) -> float:
        """Requests to the API."""
        return self.total - self.outputs - self.downloads

    @property
    def total(self) -> float:
        """What `HarvestReport.requests` counts."""
        return math.fsum(getattr(self, name) for name in fields_dict(Requests))


@frozen(kw_only=True)
class Work:
    """What one harvest has to do."""

    requests: Requests
    pages: float
    """Pages of the list of pipelines of one project, which are requested one after another."""
    files: float
    large: float
    """Of these, artifacts, whose sizes vary."""
    bytes: float


def first(organization: Organization, setup: Setup) -> Work:
    """Return the work of the first harvest."""
    pipelines = organization.projects * organization.pipelines
    workflows = pipelines * organization.workflows
    jobs = workflows * organization.jobs
    running = pipelines / organization.days * setup.interval * organization.running  # without files so far
    return _work(
        organization,
        setup,
        pages=max(1, math.ceil(organization.pipelines / setup.page_size)),
        listed=_Lists(pipelines, workflows, jobs),
        new=_Lists(pipelines, workflows, max(0.0, jobs - running)),
    )


def nightly(organization: Organization, setup: Setup) -> Work:
    """Return the work of a harvest `interval` days after the previous one, with what was built meanwhile."""
    a_day = organization.pipelines / organization.days
    since = min(setup.since or organization.days, organization.days)
    listed = a_day * since
    if since < organization.days and a_day:  # ends with the page of the first older pipeline
        pages = math.floor(listed / setup.page_size) + 1
    else:
        pages = max(1, math.ceil(listed / setup.page_size))
    pipelines = organization.projects * a_day * min(setup.interval, since)
    rechecked = organization.projects * a_day * min(since, setup.recheck + setup.interval)
    running, reruns = pipelines * organization.running, pipelines * organization.reruns
    workflows = pipelines * organization.workflows + reruns
    jobs = (pipelines * organization.workflows + reruns * organization.rerun_jobs) * organization.jobs
    return _work(
        organization,
        setup,
        pages=pages,
        listed=_Lists(rechecked, workflows + running, jobs + running),
        new=_Lists(pipelines + reruns + running, workflows + running, jobs),  # those that ran at the last harvest too
    )


@frozen
class _Lists:
    """Pipelines, workflows and jobs of the whole organization."""

    pipelines: float
    workflows: float
    jobs: float


def _work(organization: Organization, setup: Setup, *, pages: float, listed: _Lists, new: _Lists) -> Work:
    """Return the work. `listed`: of which lists are requested. `new`: those with new files."""
    kinds = checked_kinds(setup.what)

    def lists(items: float, multiples: tuple[float, ...] = (1.0,)) -> float:
        """Return how many requests list so many items, as a mean over lists of different lengths."""
        multiples = multiples if organization.uneven else (1.0,)
        return fmean(max(1, math.ceil(items * each / setup.page_size)) for each in multiples)

    artifacts = new.jobs * organization.artifacts if "artifacts" in kinds else 0.0
    outputs = new.jobs * organization.steps if "logs" in kinds else 0.0
    reports = 2 * new.jobs if "tests" in kinds and organization.tests else 0.0
    builds = new.jobs if "builds" in kinds else 0.0
    requests = Requests(
        projects=0 if organization.by_slug else listed_projects(organization, setup),
        pipelines=organization.projects * pages,
        workflows=listed.pipelines * lists(organization.workflows),
        jobs=listed.workflows * lists(organization.jobs, JOBS),
        artifacts=listed.jobs * lists(organization.artifacts, ARTIFACTS) if "artifacts" in kinds else 0,
        logs=new.jobs if "logs" in kinds else 0,
        tests=new.jobs * lists(organization.tests) if "tests" in kinds else 0,
        builds=new.jobs + new.workflows + new.pipelines if "builds" in kinds else 0,
        outputs=outputs,
        downloads=2 * artifacts,
    )
    size = artifacts * organization.size + outputs * organization.log_size
    files = artifacts + outputs + reports + builds
    return Work(requests=requests, pages=pages, files=files, large=artifacts, bytes=size)


def checked_kinds(what: str) -> set[str]:
    """Return the kinds. Raises `ValueError` for an unknown one."""
    kinds = {kind.strip() for kind in what.split(",")}
    if unknown := kinds - set(KINDS):
        raise ValueError(f"what must contain {', '.join(KINDS)}, got {', '.join(sorted(unknown))!r}")
    return kinds


def listed_projects(organization: Organization, setup: Setup) -> int:
    """Return the requests that list the projects of an organization: pages of its pipelines, and one of Insights."""
    pipelines = min(LOOK_BACK, organization.projects * organization.pipelines)
    return max(1, math.ceil(pipelines / setup.page_size)) + 1


# Time


@frozen(kw_only=True)
class Estimate:
    """How long a harvest takes."""

    seconds: float
    bound: str
    """What takes longest."""
    loads: dict[str, float]
    """The seconds that each resource would take if all others had no limit."""


def estimate(organization: Organization, setup: Setup, work: Work) -> Estimate:
    """Return the time of a harvest: that of the busiest resource, and of the first and the last file."""
    api, files, size = work.requests.api, work.files, work.bytes
    is_alone = setup.workers == 1
    at_once = concurrency_of_worker(setup)
    listing = api * setup.latency
    chains = math.ceil(organization.projects / PROJECTS_AT_ONCE) * (work.pages + 3) * setup.latency if api else 0.0
    in_parts = work.large * _above(PART, organization)[1]
    sending = (size - in_parts + in_parts / MAX_UPLOADS) / setup.put_bandwidth if setup.put_latency else 0.0
    held = files * (setup.storage_latency + setup.put_latency) + size / setup.bandwidth + sending
    listing_cpu = api * setup.cpu_list
    handling = files * setup.cpu_file + size / 1e9 * setup.cpu_gigabyte + (listing_cpu if is_alone else 0)
    network = size / setup.network
    loads = {
        "API quota": api / (setup.quota * setup.efficiency),
        "API latency": max(listing / setup.concurrency, chains),
        "connections": (held + (listing if is_alone else 0)) / (setup.workers * at_once),
        "worker network": network / setup.workers,
        "worker CPU": handling / setup.workers,
        "caller CPU": 0.0 if is_alone else listing_cpu + files / setup.commits,
        "S3 rate": uploads(organization, work).requests / (PUT_RATE * setup.prefixes) if setup.put_latency else 0.0,
        "largest file": _largest(organization, work) * _seconds_per_byte(setup),
    }
    bound = max(loads, key=loads.__getitem__)
    seconds = max(value for name, value in loads.items() if name != "largest file")
    if files:
        queues = [network, handling] + ([network] if setup.put_latency else [])
        delay = max(0.0, held + (listing if is_alone else 0) - sum(queues) + handling)
        rate = throughput(at_once, delay / files, [queue / files for queue in queues])
        seconds = max(seconds, files / (rate * setup.workers))
    start = work.requests.projects * setup.latency + (4 * setup.latency if api else 0)
    last = max(held / files, _last(organization, setup, work, seconds)) if files else 0.0
    return Estimate(seconds=seconds + start + last, bound=bound, loads=loads)


def concurrency_of_worker(setup: Setup) -> int:
    """Return how many files a worker downloads at once."""
    return setup.concurrency if setup.workers == 1 else max(1, min(setup.concurrency, MAX_FILES // setup.workers))


def _seconds_per_byte(setup: Setup) -> float:
    """Return the seconds that one large file takes alone: it is downloaded in ranges, hashed, and uploaded in parts."""
    seconds = 1 / min(setup.network, MAX_RANGES * setup.bandwidth) + setup.cpu_gigabyte / 1e9
    if setup.put_latency:
        seconds += 1 / min(setup.network, MAX_UPLOADS * setup.put_bandwidth)
    return seconds


def _last(organization: Organization, setup: Setup, work: Work, seconds: float) -> float:
    """Return how long the last file is expected to take beyond `seconds`, in which all files begin evenly.

    Of files that begin evenly, the number that end at least `excess` later has a Poisson distribution, with the mean
    of what their times exceed it by, divided by the time between two of them.
    """
    longest, per_byte = _largest(organization, work) * _seconds_per_byte(setup), _seconds_per_byte(setup)
    steps = 100
    total = 0.0
    for step in range(steps):
        excess = longest * (step + 0.5) / steps
        share, amount = _above(excess / per_byte, organization)
        late = work.large * max(0.0, amount * per_byte - excess * share)
        total += 1 - math.exp(-late / seconds) if seconds else 1.0
    return longest * total / steps


def throughput(concurrency: int, delay: float, queues: list[float]) -> float:
    """Return how many files per second a worker handles.

    Each file is delayed for some seconds, and served by resources that all files share. `queues`: the seconds that it
    takes of each. This is mean value analysis of a closed network: `concurrency` files are always under way.
    """
    lengths = [0.0] * len(queues)
    rate = 0.0
    for number in range(1, concurrency + 1):
        waits = [seconds * (1 + length) for seconds, length in zip(queues, lengths, strict=True)]
        rate = number / (delay + sum(waits)) if delay or sum(waits) else math.inf
        lengths = [0.0 if math.isinf(rate) else rate * wait for wait in waits]
    return rate


def _largest(organization: Organization, work: Work) -> float:
    """Return the size that the largest of the artifacts is expected to have."""
    if work.large < 1:
        return 0.0
    return size_at((work.large - 0.5) / work.large, organization)


def size_at(quantile: float, organization: Organization) -> float:
    """Return a quantile of the sizes of the artifacts."""
    sigma = organization.spread
    if not sigma or not organization.size:
        return organization.size
    median = math.log(organization.size) - sigma**2 / 2
    return min(MAX_FILE, math.exp(median + sigma * NormalDist().inv_cdf(quantile)))


# Costs


@frozen(kw_only=True)
class Prices:
    """List prices of S3 Standard in US East (N. Virginia), in US dollars; prices of 2025."""

    put: float = 0.005 / 1000
    """A PUT, COPY, POST or LIST request."""
    get: float = 0.0004 / 1000
    """Any other request; DELETE is free."""
    terabyte: float = 23.0
    """10**12 bytes for a month, in the first 50 TB."""


@frozen(kw_only=True)
class Uploads:
    """Requests that put files into a bucket."""

    puts: float
    """Of files up to one part."""
    multiparts: float
    """Files in parts: each needs two requests more than it has parts."""
    parts: float

    @property
    def requests(self) -> float:
        """All of them."""
        return self.puts + 2 * self.multiparts + self.parts


def uploads(organization: Organization, work: Work) -> Uploads:
    """Return the requests that put the files of a harvest."""
    share, amount = _above(PART, organization)
    multiparts = work.large * share
    parts = multiparts and max(2 * multiparts, work.large * amount / PART + multiparts / 2)
    return Uploads(puts=work.files - multiparts, multiparts=multiparts, parts=parts)


def _above(limit: float, organization: Organization) -> tuple[float, float]:
    """Return the share of the files that are larger, and their bytes as a mean over all files."""
    sigma, mean = organization.spread, organization.size
    if not sigma or not mean:
        return (1.0, mean) if mean > limit else (0.0, 0.0)
    distance = (math.log(max(limit, 1e-9)) - math.log(mean) + sigma**2 / 2) / sigma
    return NormalDist().cdf(-distance), mean * NormalDist().cdf(sigma - distance)


@frozen(kw_only=True)
class Cost:
    """Requests to S3 and what they cost."""

    uploads: Uploads
    segments: float
    """Segments of the ledger, its manifest, and renewals of its lease."""
    snapshot: float
    """Parts of its snapshot."""
    dollars: float
    listing: float
    """Dollars to list all objects once, with 1,000 in each answer."""
    verifying: float
    """Dollars for one HEAD request for each file, as `harvest verify` sends."""
    month: float
    """Dollars to store the files for a month."""


def cost(organization: Organization, setup: Setup, work: Work, seconds: float, prices: Prices | None = None) -> Cost:
    """Return the requests to S3 of a harvest that takes this long, and their cost."""
    prices = Prices() if prices is None else prices
    put = uploads(organization, work)
    segments = math.ceil(seconds / SEGMENT_INTERVAL) + 2 + math.ceil(seconds / RENEWAL_INTERVAL)
    snapshot = max(1, math.ceil(work.files * setup.row / PART))
    return Cost(
        uploads=put,
        segments=segments,
        snapshot=snapshot,
        dollars=(put.requests + segments + snapshot) * prices.put,
        listing=math.ceil(work.files / 1000) * prices.put,
        verifying=math.ceil(work.files / 1000) * prices.put + work.files * prices.get,
        month=work.bytes / 1e12 * prices.terabyte,
    )
