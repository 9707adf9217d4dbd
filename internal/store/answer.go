package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"bursar/internal/store/internal/rows"
)

// AnswerKey tells one request of one principal from all others.
type AnswerKey struct {
	Principal string
	Key       string // that its sender chose
	Route     string // method and path
	Body      string // digest of the body
}

// Answer is what was answered to a request.
type Answer struct {
	Route     string
	Body      string // digest of the request's
	Done      bool   // false while the request is carried out
	Status    int
	MediaType string
	ETag      string
	Text      string
}

// TakeAnswer takes the right to carry out a request, until it is answered or until is
// over. If somebody has taken it before, token is "" and the answer tells what came of
// it; of another route or body than asked for, too.
func (db *DB) TakeAnswer(ctx context.Context, k AnswerKey, now, until time.Time) (token string, found Answer, err error) {
	err = db.write(ctx, func(q *rows.Queries) error {
		token = newID(now)
		if _, err := q.ForgetAnswers(ctx, micros(now)); err != nil {
			return err
		}
		n, err := q.TakeAnswer(ctx, rows.TakeAnswerParams{
			Principal: k.Principal, Key: k.Key, Route: k.Route, BodySha256: k.Body, Token: token, Until: micros(until), Now: micros(now),
		})
		if err != nil || n == 1 {
			return err
		}
		token = ""
		r, err := q.GetAnswer(ctx, rows.GetAnswerParams{Principal: k.Principal, Key: k.Key})
		if errors.Is(err, sql.ErrNoRows) {
			return errors.New("the answer was forgotten just now")
		}
		found = Answer{Route: r.Route, Body: r.BodySha256, Done: r.State == "done", Status: int(r.Status), MediaType: r.MediaType, ETag: r.Etag, Text: r.Body}
		return err
	})
	if err != nil {
		return "", Answer{}, fmt.Errorf("take the answer: %w", err)
	}
	return token, found, nil
}

// KeepAnswer stores the answer to a request that was taken. It is forgotten after
// until.
func (db *DB) KeepAnswer(ctx context.Context, k AnswerKey, token string, a Answer, until time.Time) error {
	return db.write(ctx, func(q *rows.Queries) error {
		n, err := q.KeepAnswer(ctx, rows.KeepAnswerParams{
			Status: int64(a.Status), MediaType: a.MediaType, Etag: a.ETag, Body: a.Text, Until: micros(until), Principal: k.Principal, Key: k.Key, Token: token,
		})
		if err == nil && n != 1 {
			err = errors.New("somebody else has taken the request since")
		}
		return err
	})
}

// DropAnswer gives up what was taken: the request may be carried out again.
func (db *DB) DropAnswer(ctx context.Context, k AnswerKey, token string) error {
	return db.write(ctx, func(q *rows.Queries) error {
		_, err := q.DropAnswer(ctx, rows.DropAnswerParams{Principal: k.Principal, Key: k.Key, Token: token})
		return err
	})
}
