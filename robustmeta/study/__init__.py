"""From a study to records: plan, train, evaluate, execute, gather."""
