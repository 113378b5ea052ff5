"""ACT: delivers what DECIDE says, runs executors, keeps schedules and probes; the only Faust."""
