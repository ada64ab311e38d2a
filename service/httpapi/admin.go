package httpapi

import "net/http"

type keyBody struct {
	Tenant string `json:"tenant" validate:"required,max=63,hostname_rfc1123"`
}

type issuedBody struct {
	Tenant string `json:"tenant"`
	APIKey string `json:"api_key"`
	ID     string `json:"id"`
}

// issueKey makes an API key for a tenant and shows it this once.
func (a *API) issueKey(w http.ResponseWriter, r *http.Request) error {
	if !a.isAdmin(r) {
		return errUnauthorized
	}
	var body keyBody
	if err := a.read(w, r, &body); err != nil {
		return err
	}
	key, id, err := a.Keyring.Issue(r.Context(), body.Tenant)
	if err != nil {
		return err
	}
	reply(w, http.StatusCreated, issuedBody{Tenant: body.Tenant, APIKey: key, ID: id})
	return nil
}
