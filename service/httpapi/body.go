package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
	"golang.org/x/sync/semaphore"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// MaxBody bounds a request's body, in bytes.
const MaxBody = 1 << 20

// read decodes one JSON object into body and validates it. Whatever it returns, release gives back the memory that the request
// takes, and must be called when that is over.
func (a *API) read(w http.ResponseWriter, r *http.Request, body any) (release func(), err error) {
	control := http.NewResponseController(w)
	deadline := dependency.StartDeadline(time.Now().Add(min(a.BodyTimeout, a.Timeout)), func() {
		_ = control.SetReadDeadline(time.Now()) // what has none, as in a test, is not read from a network
	})
	defer deadline.Stop()
	counted := &countedReader{Reader: http.MaxBytesReader(w, r.Body, MaxBody), room: a.bodies}
	text, err := io.ReadAll(counted)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errNoRoom):
		return counted.release, errOverloaded()
	case errors.As(err, &tooLarge):
		return counted.release, errTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return counted.release, errBodyTimeout
	case err != nil:
		return counted.release, errMalformed
	}
	return counted.release, a.understand(text, body)
}

func (a *API) understand(text []byte, body any) error {
	if err := decode(text, body); err != nil {
		return err
	}
	var invalid validator.ValidationErrors
	if err := a.validate.Struct(body); errors.As(err, &invalid) {
		return invalidBody(invalid)
	} else if err != nil {
		return err
	}
	return nil
}

// errNoRoom is the error of a body for which there is no memory.
var errNoRoom = errors.New("no room for another body")

// countedReader takes room for each byte that it reads. Bytes count when they arrive: whoever announces many and sends none takes no room.
type countedReader struct {
	io.Reader
	room *semaphore.Weighted
	held int64
}

// Read reads, or returns errNoRoom.
func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if !c.room.TryAcquire(int64(n)) {
		return 0, errNoRoom
	}
	c.held += int64(n)
	return n, err
}

func (c *countedReader) release() { c.room.Release(c.held) }

// watchedBody is a body that knows whether it was read to its end.
type watchedBody struct {
	io.ReadCloser
	ended bool
}

func watch(body io.ReadCloser) *watchedBody {
	return &watchedBody{ReadCloser: body, ended: body == http.NoBody}
}

// Read reads.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}

// decode reads one JSON object into the struct that body points to. Each field stands once at most, and is spelt as documented:
// whoever misspells one believes that they asked for something else. Names come first: the decoder would take some that are misspelt.
func decode(text []byte, body any) error {
	if !json.Valid(text) || !isUnicode(text) {
		return errMalformed
	}
	if err := checkNames(text, body); err != nil {
		return err
	}
	if json.Unmarshal(text, body) != nil {
		return errMalformed
	}
	return nil
}

// checkNames finds what is wrong with the names of the fields in a JSON text.
func checkNames(text []byte, body any) error {
	fields := json.NewDecoder(bytes.NewReader(text))
	if open, err := fields.Token(); err != nil || open != json.Delim('{') {
		return errMalformed
	}
	for seen := map[string]bool{}; fields.More(); {
		token, err := fields.Token()
		name, isName := token.(string)
		if err != nil || !isName {
			return errMalformed
		}
		switch {
		case !hasField(body, name):
			return invalidField(name, "unknown")
		case seen[name]:
			return invalidField(name, "once")
		}
		seen[name] = true
		if err := fields.Decode(new(json.RawMessage)); err != nil {
			return errMalformed
		}
	}
	return nil
}

// isUnicode reports whether a JSON text stands for characters alone: it is UTF-8, and no escape in it is half of a surrogate pair. For all
// else the decoder puts one and the same character, so that different prompts would share an answer.
func isUnicode(text []byte) bool {
	if !utf8.Valid(text) {
		return false
	}
	for {
		_, escape, found := bytes.Cut(text, []byte(`\`))
		if !found {
			return true
		}
		text = escape[1:]
		if escape[0] != 'u' {
			continue
		}
		first := codeUnit(escape[1:])
		text = escape[1+unitDigits:]
		if !utf16.IsSurrogate(first) {
			continue
		}
		second, found := bytes.CutPrefix(text, []byte(`\u`))
		if !found || utf16.DecodeRune(first, codeUnit(second)) == utf8.RuneError {
			return false
		}
		text = second[unitDigits:]
	}
}

// unitDigits is how many hexadecimal digits an escape has.
const unitDigits = 4

// codeUnit reads the digits of an escape that the decoder has taken.
func codeUnit(digits []byte) rune {
	unit, _ := strconv.ParseUint(string(digits[:unitDigits]), 16, 16)
	return rune(unit)
}

// hasField reports whether the struct that body points to has a field of that name in JSON.
func hasField(body any, name string) bool {
	return slices.ContainsFunc(reflect.VisibleFields(reflect.TypeOf(body).Elem()), func(f reflect.StructField) bool { return jsonName(f) == name })
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// longestName bounds, in bytes, what is repeated of a field's name that only the client knows.
const longestName = 64

func invalidField(name, rule string) *problem { return invalidDetails(namedField(name, rule)) }

func namedField(name, rule string) detail {
	return detail{Field: strings.ToValidUTF8(name[:min(len(name), longestName)], ""), Rule: rule}
}

func invalidBody(invalid validator.ValidationErrors) *problem {
	details := make([]detail, len(invalid))
	for i, field := range invalid {
		details[i] = detail{Field: field.Field(), Rule: strings.TrimSuffix(field.Tag()+"="+field.Param(), "=")}
	}
	return invalidDetails(details...)
}

func invalidDetails(details ...detail) *problem {
	return &problem{status: http.StatusUnprocessableEntity, Type: invalidRequest, Code: "invalid_body",
		Message: "fields of the body break the rules named in details", Details: details}
}

// newValidator makes a validator that calls fields by their JSON names.
func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(jsonName)
	return v
}
