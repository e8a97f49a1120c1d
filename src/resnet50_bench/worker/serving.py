"""MODE=server: query ids from one pipe -> batches of the prepared sizes; ids of answered queries -> another pipe."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from ..protocol.messages import QUERY_BYTES, Pipes
from ..result.processes import FeedRecord
from ..result.server import Served, padded_to, prepared_sizes
from .stepper import Feed


class QueryFeed(Feed):
    """Batches for waiting queries. A read blocks for the first query, then takes all that wait, up to a whole batch.

    If the number of queries is not a prepared size, the batch is padded to the next size.
    """

    def __init__(self, pool: Feed, pipes: Pipes) -> None:
        """``pool`` has the images, in batches of the largest size, which are sliced."""
        self._pool, self._pipes = pool, pipes
        self.example = pool.example
        sizes = prepared_sizes(len(self.example))
        self._padded = [sizes[0], *(padded_to(sizes, count) for count in range(1, sizes[-1] + 1))]
        self._warm = itertools.cycle(self.example[:size] for size in sizes)
        self._answers = -1
        self._counts: Counter[int] = Counter()
        self._began_ns = self._ended_ns = 0

    def warm_batch(self) -> Any:
        """Each size in turn; the last is the largest."""
        return next(self._warm)

    def batches(self) -> Iterator[tuple[Any, bytes]]:
        """Yield images for the waiting queries, and the queries' ids. Ends when LoadGen ends."""
        queries, self._answers = os.open(self._pipes.queries, os.O_RDONLY), os.open(self._pipes.answers, os.O_WRONLY)
        most, padded, counts = len(self.example) * QUERY_BYTES, self._padded, self._counts
        self._began_ns = time.monotonic_ns()
        for images, _ in self._pool.batches():
            ids = os.read(queries, most)
            if not ids:
                break
            count = len(ids) // QUERY_BYTES
            counts[count] += 1
            yield images[:padded[count]], ids
        self._ended_ns = time.monotonic_ns()
        os.close(queries)

    def after(self, output: Any, ids: bytes) -> None:
        """Report the queries ``ids`` as answered."""
        os.write(self._answers, ids)

    def close(self) -> None:
        """Close the pipes."""
        if self._answers >= 0:
            os.close(self._answers)

    def record(self) -> FeedRecord:
        """The pool's record, and the number of batches by their number of queries."""
        served = Served(self._began_ns, self._ended_ns, {str(size): n for size, n in sorted(self._counts.items())})
        return msgspec.structs.replace(self._pool.record(), served=served)  # instances may share the pool
