"""One Apache Kafka broker on this machine, for the demo and the tests.

A single node that is its own controller, from the files of `broker_files`.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.errors import BrokerUnavailable
from streams.runtime.broker_files import DEPLOY, VERSION, fetch, find_java

CLUSTER_ID = "a2l0dGl3YWtlLWJyb2tlcg"


def free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free(port: int) -> None:
    """Check that a broker could listen: else another one's answer would pass for its own.

    Raises
    ------
    BrokerUnavailable
        If somebody listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BrokerUnavailable(
                f"port {port} of 127.0.0.1 cannot be used: {error}; stop what listens there, or"
                " choose another port"
            ) from error


def properties(*, data: Path, port: int, controller_port: int) -> str:
    """``server.properties`` of a single node: nothing to replicate to, short group timings."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # A transaction left behind by kill -9 is aborted soon after its own timeout.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        # A killed broker may register again once its last session is over: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "group.consumer.min.heartbeat.interval.ms": "500",
        "group.consumer.heartbeat.interval.ms": "500",
        "log.retention.ms": "-1",
        # The default, 128 MB, is half the heap.
        "log.cleaner.dedupe.buffer.size": "16777216",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


class Broker:
    """A running broker that keeps its data in a folder.

    Parameters
    ----------
    directory
        Where data, settings and ``broker.log`` live; a folder used before keeps its topics.
    port
        Port for clients; 0 takes a free one and keeps it over `restart`.
    heap_mb
        Java heap.
    start_timeout_ms
        Longest wait for a start.

    Raises
    ------
    BrokerUnavailable
        If the broker does not come up; the message ends with its log.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        heap_mb: int = 320,
        start_timeout_ms: int = 60_000,
    ) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._timeout_s = start_timeout_ms / 1_000
        self._settings = directory / "server.properties"
        self._log = directory / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._java = [
            find_java(),
            f"-Xmx{heap_mb}m",
            f"-Dlog4j2.configurationFile={DEPLOY / 'log4j2.properties'}",
            "-cp",
            os.pathsep.join(str(jar) for jar in fetch()),
        ]

    def __enter__(self) -> Broker:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Format the folder if it is new, start the broker and wait until it answers."""
        require_free(self.port)
        data = self.directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        self._settings.write_text(
            properties(data=data, port=self.port, controller_port=free_port())
        )
        with self._log.open("ab") as log:
            if not (data / "meta.properties").exists():
                tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]
                command = [*self._java, *tool, str(self._settings)]
                if subprocess.run(command, stdout=log, stderr=log, check=False).returncode != 0:
                    raise BrokerUnavailable(f"formatting {data} failed: {self._tail()}")
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._settings)],
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to us, and we stop the broker in order.
            )
        self._wait(self._process)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self._timeout_s
        # Refused connections are the expected answer until the broker is up: not worth a log.
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise BrokerUnavailable(
                    f"the broker on {self.bootstrap} left with status {process.returncode}:"
                    f" {self._tail()}"
                )
            try:
                if admin.list_topics(timeout=0.5).brokers:
                    return
            except KafkaException:
                time.sleep(0.1)
        raise BrokerUnavailable(
            f"the broker on {self.bootstrap} did not answer within {self._timeout_s:g} s:"
            f" {self._tail()}"
        )

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-1_500:]

    def stop(self) -> None:
        """Stop in order; after 20 s by force."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop as a crash does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again, with the same data on the same port."""
        self.stop()
        self.start()

    def wait(self) -> int:
        """Wait until the broker ends by itself; its exit status."""
        return self._process.wait() if self._process else 0

    def _end(self, signal_number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal_number)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> int:
    """Run a broker in the foreground until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m streams.runtime.broker", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="folder for its data")
    parser.add_argument("--port", type=int, default=9092, help="port for clients; 0 for a free one")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Broker(options.directory, port=options.port) as broker:
            sys.stdout.write(f"Apache Kafka {VERSION} on {broker.bootstrap}\n")
            sys.stdout.flush()
            return broker.wait()
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
