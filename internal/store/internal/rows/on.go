package rows

// On is what the queries run on: in a transaction, that transaction.
func (q *Queries) On() DBTX { return q.db }
