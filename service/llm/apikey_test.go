package llm_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/llm"
)

func TestAPIKeyOfTheModel(t *testing.T) {
	for key, want := range map[string]string{"": "", "hunter2": "Bearer hunter2"} {
		t.Run("key "+key, func(t *testing.T) {
			shown := make(chan string, 1)
			c, _ := model(t, llm.Options{APIKey: key}, func(w http.ResponseWriter, r *http.Request) {
				shown <- r.Header.Get("Authorization")
				_, _ = io.WriteString(w, good)
			})
			if _, err := c.Complete(t.Context(), service.Request{ID: "r"}); err != nil {
				t.Fatal(err)
			}
			if got := <-shown; got != want {
				t.Errorf("Authorization: %q", got)
			}
		})
	}
}
