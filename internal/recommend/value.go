package recommend

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"bursar/internal/cloud"
)

var (
	digits12    = regexp.MustCompile(`^[0-9]{12}$`)
	dashed12    = regexp.MustCompile(`^[0-9]{4}-[0-9]{4}-[0-9]{4}$`)
	someDigits  = regexp.MustCompile(`^[0-9]{1,11}$`)
	shortened   = regexp.MustCompile(`^[0-9][.,][0-9]+[eE]\+?[0-9]+$`)
	numeric     = regexp.MustCompile(`^[-+]?[0-9][0-9.,_]*([eE][-+]?[0-9]+)?$`)
	whole       = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.0+)?$`)
	regionCode  = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}$`)
	offeringID  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$`)
	isoCurrency = regexp.MustCompile(`^[A-Z]{3}$`)
	percentage  = regexp.MustCompile(`^([0-9]|10)(\.[0-9]{1,2})?%$`)
)

const maxToleranceBP = 1_000

// quantity reads a count as it is written. "3.0" is the whole number 3; a
// leading zero is refused because YAML and people read it differently.
func quantity(text string) (int64, error) {
	m := whole.FindStringSubmatch(text)
	if m == nil || m[1] == "0" {
		return 0, problemf("%s is not a whole number of at least 1", show(text))
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n > MaxQuantity {
		return 0, problemf("%s is more than %s, the most that one line may buy", show(text), group(MaxQuantity))
	}
	return n, nil
}

// account reads an AWS account id.
func account(text string) (cloud.Account, error) {
	switch {
	case digits12.MatchString(text):
		return cloud.Account(text), nil
	case someDigits.MatchString(text):
		return "", problemf("%s has %d digits and an AWS account id has 12: if zeros in front were lost, write them, in quotes", text, len(text))
	case shortened.MatchString(text):
		return "", problemf("%s is a number that a spreadsheet has shortened: write the 12 digits of the AWS account id as text", text)
	}
	return "", problemf("%s is not an AWS account id of 12 digits", show(text))
}

// region reads a region code.
func region(text string) (cloud.Region, error) {
	if regionCode.MatchString(text) {
		return cloud.Region(text), nil
	}
	if code, ok := regionNamed(text); ok {
		return "", problemf("%s is the name of a region: write its code %s", show(text), code)
	}
	return "", problemf("%s is not a region code such as eu-west-1", show(text))
}

// looseRegion reads a region code or one of AWS's names for a region.
func looseRegion(text string) (cloud.Region, error) {
	if code := strings.ToLower(text); regionCode.MatchString(code) {
		return cloud.Region(code), nil
	}
	if code, ok := regionNamed(text); ok {
		return code, nil
	}
	return "", problemf("%s is neither a region code such as eu-west-1 nor a known name of a region", show(text))
}

// looseAccount is account, and takes the console's spelling 1111-2222-3333.
func looseAccount(text string) (cloud.Account, error) {
	if dashed12.MatchString(text) {
		text = strings.ReplaceAll(text, "-", "")
	}
	return account(text)
}

func currencyCode(text string) (string, error) {
	if !isoCurrency.MatchString(text) {
		return "", problemf("%s is not a currency code of three capitals such as USD", show(text))
	}
	return text, nil
}

func offering(text string) (string, error) {
	if !offeringID.MatchString(text) {
		return "", problemf("%s is not an offering id: letters, digits, hyphens, and dots, slashes and underscores between them, at most 200", show(text))
	}
	return text, nil
}

// tolerance reads "0.5%" as 50 hundredths of a per cent.
func tolerance(text string) (int, error) {
	if !percentage.MatchString(text) {
		return 0, problemf("%s is not a percentage from 0%% to 10%% with at most two decimals, such as 0.5%%", show(text))
	}
	whole, frac, _ := strings.Cut(strings.TrimSuffix(text, "%"), ".")
	bp, err := strconv.Atoi(whole + (frac + "00")[:2])
	if err != nil || bp > maxToleranceBP {
		return 0, problemf("%s is more than 10%%, the most that a price may rise after approval", show(text))
	}
	return bp, nil
}

// freeText returns text as one line. Control and direction characters are
// refused: the text is shown next to amounts that people approve.
func freeText(text string, most int) (string, error) {
	for _, c := range text {
		if unshowable(c) {
			return "", problemf("holds the control character U+%04X", c)
		}
	}
	if utf8.RuneCountInString(text) > most {
		return "", problemf("is longer than %d characters", most)
	}
	if text = oneLine(text); text == "" {
		return "", problemf("is empty: write something or remove it")
	}
	return text, nil
}

// Purpose reads what something is bought for.
func Purpose(text string) (string, error) { return freeText(text, MaxPurpose) }

// looseText is freeText for text that is not ours to correct: what cannot be
// shown becomes a space, and what is too long is cut.
func looseText(text string, most int) string {
	text = oneLine(strings.Map(func(c rune) rune {
		if unshowable(c) {
			return ' '
		}
		return c
	}, text))
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most-3]) + "..."
	}
	return text
}

func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == '\t' || c == '\n' }), " ")
}

// unshowable holds control characters other than tab and newline, line and
// paragraph separators, and what reverses the direction of text.
func unshowable(c rune) bool {
	return c < ' ' && c != '\t' && c != '\n' || c >= 0x7f && c <= 0x9f ||
		c >= 0x2028 && c <= 0x202e || c >= 0x2066 && c <= 0x2069
}

// show returns a value for a message: a number bare, other text in quotes with
// what cannot be printed escaped, both cut to a length that fits a line.
func show(text string) string {
	const most = 40
	if cut := []rune(text); len(cut) > most {
		text = string(cut[:most]) + "..."
	}
	if numeric.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}

// group writes 10000 as "10,000".
func group(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return group(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

// fold returns the letters and digits of text in lower case: what is left when
// spelling habits are taken away.
func fold(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= utf8.RuneSelf:
			return c
		}
		return -1
	}, text)
}

// nearest returns the word at most two typing mistakes away from text.
func nearest(text string, words []string) (string, bool) {
	best, at := "", 3
	for _, w := range words {
		if d := distance(text, w); d < at && d < len(w) {
			best, at = w, d
		}
	}
	return best, best != ""
}

// distance is the number of single-byte edits between two short words.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
