"""The Django site that every contender collects and serves; BENCH_SITE says in which way."""
