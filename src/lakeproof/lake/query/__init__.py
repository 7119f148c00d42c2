"""Reading the lake by Trino or Flink: one statement, all its tables at one published hash. Nothing here writes."""
