"""Reading the lake by Trino, Flink or Spark: one statement, its tables at one published hash. Nothing here writes."""
