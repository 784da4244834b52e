package mcpserver

//lint:file-ignore SA1019 the suite uses API that is deprecated since 2026-07-28

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Tools, prompts and resources that the conformance suite requires by name.
// They exist only in tests, on a wiki behind the same handlers.

type (
	toolCall  = mcp.CallToolRequest
	toolReply = mcp.CallToolResult
)

func textReply(text string, more ...mcp.Content) *toolReply {
	return &toolReply{Content: append([]mcp.Content{&mcp.TextContent{Text: text}}, more...)}
}

func onePixel() *mcp.ImageContent {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		panic(err)
	}
	return &mcp.ImageContent{Data: b.Bytes(), MIMEType: "image/png"}
}

func silence() *mcp.AudioContent {
	return &mcp.AudioContent{Data: []byte("RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\x00\x00\x00\x00"), MIMEType: "audio/wav"}
}

func embedded(uri string) *mcp.EmbeddedResource {
	return &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: uri, MIMEType: "text/plain", Text: "An embedded resource."}}
}

// form is a request for input in a result (MCP 2026-07-28, multi round-trip
// requests).
func form(message string, properties ...string) *mcp.ElicitParams {
	schema := map[string]any{}
	for _, p := range properties {
		name, kind, _ := strings.Cut(p, " ")
		schema[name] = map[string]any{"type": kind}
	}
	return &mcp.ElicitParams{Message: message, RequestedSchema: map[string]any{"type": "object", "properties": schema}}
}

func sample(text string) *mcp.CreateMessageParams {
	return &mcp.CreateMessageParams{MaxTokens: 50, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: text}}}}
}

func filled(responses mcp.InputResponseMap, key string) map[string]any {
	if e, ok := responses[key].(*mcp.ElicitResult); ok && e != nil && e.Action == "accept" {
		return e.Content
	}
	return nil
}

func sampled(responses mcp.InputResponseMap, key string) string {
	if m, ok := responses[key].(*mcp.CreateMessageWithToolsResult); ok && m != nil && len(m.Content) > 0 {
		if t, ok := m.Content[0].(*mcp.TextContent); ok {
			return t.Text
		}
	}
	return ""
}

func invalidState() error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "this requestState was not made here"}
}

// fixtureTools returns the tools by name.
func fixtureTools(s *mcp.Server) map[string]func(context.Context, *toolCall) (*toolReply, error) {
	return map[string]func(context.Context, *toolCall) (*toolReply, error){
		"test_simple_text": func(context.Context, *toolCall) (*toolReply, error) { return textReply("A simple text."), nil },
		"test_image_content": func(context.Context, *toolCall) (*toolReply, error) {
			return &toolReply{Content: []mcp.Content{onePixel()}}, nil
		},
		"test_audio_content": func(context.Context, *toolCall) (*toolReply, error) {
			return &toolReply{Content: []mcp.Content{silence()}}, nil
		},
		"test_embedded_resource": func(context.Context, *toolCall) (*toolReply, error) {
			return &toolReply{Content: []mcp.Content{embedded("test://embedded-resource")}}, nil
		},
		"test_multiple_content_types": func(context.Context, *toolCall) (*toolReply, error) {
			return textReply("A text.", onePixel(), embedded("test://mixed-content-resource")), nil
		},
		"test_error_handling": func(context.Context, *toolCall) (*toolReply, error) {
			r := textReply("This tool intentionally returns an error for testing")
			r.IsError = true
			return r, nil
		},
		"test_tool_with_logging": func(ctx context.Context, r *toolCall) (*toolReply, error) {
			for _, text := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
				if err := r.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Data: text}); err != nil {
					return nil, err
				}
				time.Sleep(20 * time.Millisecond)
			}
			return textReply("Logged."), nil
		},
		"test_tool_with_progress": func(ctx context.Context, r *toolCall) (*toolReply, error) {
			for _, n := range []float64{0, 50, 100} {
				if err := r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: r.Params.GetProgressToken(), Progress: n, Total: 100}); err != nil {
					return nil, err
				}
				time.Sleep(20 * time.Millisecond)
			}
			return textReply(fmt.Sprint(r.Params.GetProgressToken())), nil
		},
		"test_logging_tool": func(ctx context.Context, r *toolCall) (*toolReply, error) {
			err := r.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Data: "nobody asked"})
			return textReply("Tried to log."), err
		},
		"json_schema_2020_12_tool": func(_ context.Context, r *toolCall) (*toolReply, error) {
			return textReply(string(r.Params.Arguments)), nil
		},
		"test_x_mcp_header": func(_ context.Context, r *toolCall) (*toolReply, error) {
			return textReply(string(r.Params.Arguments)), nil
		},
		"test_streaming_elicitation": func(context.Context, *toolCall) (*toolReply, error) { return textReply("Nothing but a result."), nil },
		"test_reconnection": func(_ context.Context, r *toolCall) (*toolReply, error) {
			r.Extra.CloseSSEStream(mcp.CloseSSEStreamArgs{RetryAfter: 10 * time.Millisecond})
			time.Sleep(100 * time.Millisecond)
			return textReply("Reconnected."), nil
		},
		"test_missing_capability": func(_ context.Context, r *toolCall) (*toolReply, error) {
			if caps := r.ClientCapabilities(); caps != nil && caps.Sampling != nil {
				return textReply("The client can sample."), nil
			}
			data, err := json.Marshal(mcp.MissingRequiredClientCapabilityData{RequiredCapabilities: &mcp.ClientCapabilities{Sampling: &mcp.SamplingCapabilities{}}})
			if err != nil {
				return nil, err
			}
			return nil, &jsonrpc.Error{Code: mcp.CodeMissingRequiredClientCapabilities, Message: "the client cannot sample", Data: data}
		},
		"test_trigger_tool_change": func(context.Context, *toolCall) (*toolReply, error) {
			s.AddTool(&mcp.Tool{Name: "passing_tool", Description: "passes", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(context.Context, *toolCall) (*toolReply, error) { return textReply(""), nil })
			return textReply("The list of tools has changed."), nil
		},
		"test_trigger_prompt_change": func(context.Context, *toolCall) (*toolReply, error) {
			s.AddPrompt(&mcp.Prompt{Name: "passing_prompt", Description: "passes"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) { return prompt("", ""), nil })
			return textReply("The list of prompts has changed."), nil
		},
		"test_input_required_result_elicitation": func(_ context.Context, r *toolCall) (*toolReply, error) {
			if name, _ := filled(r.Params.InputResponses, "user_name")["name"].(string); name != "" {
				return textReply("Hello, " + name + "!"), nil
			}
			return &toolReply{InputRequests: mcp.InputRequestMap{"user_name": form("What is your name?", "name string")}}, nil
		},
		"test_input_required_result_sampling": func(_ context.Context, r *toolCall) (*toolReply, error) {
			if text := sampled(r.Params.InputResponses, "capital_question"); text != "" {
				return textReply("It answered: " + text), nil
			}
			return &toolReply{InputRequests: mcp.InputRequestMap{"capital_question": sample("What is the capital of France?")}}, nil
		},
		"test_input_required_result_list_roots": func(_ context.Context, r *toolCall) (*toolReply, error) {
			if roots, ok := r.Params.InputResponses["client_roots"].(*mcp.ListRootsResult); ok && roots != nil {
				return textReply(fmt.Sprintf("%d roots", len(roots.Roots))), nil
			}
			return &toolReply{InputRequests: mcp.InputRequestMap{"client_roots": &mcp.ListRootsParams{}}}, nil
		},
		"test_input_required_result_request_state":  confirmed("mine"),
		"test_input_required_result_tampered_state": confirmed("sealed"),
		"test_input_required_result_multiple_inputs": func(_ context.Context, r *toolCall) (*toolReply, error) {
			in := r.Params.InputResponses
			roots, ok := in["client_roots"].(*mcp.ListRootsResult)
			if name, _ := filled(in, "user_name")["name"].(string); name != "" && sampled(in, "greeting") != "" && ok {
				return textReply(fmt.Sprintf("%s %s, %d roots", sampled(in, "greeting"), name, len(roots.Roots))), nil
			}
			return &toolReply{RequestState: "three", InputRequests: mcp.InputRequestMap{
				"user_name": form("What is your name?", "name string"), "greeting": sample("Greet."), "client_roots": &mcp.ListRootsParams{},
			}}, nil
		},
		"test_input_required_result_multi_round": func(_ context.Context, r *toolCall) (*toolReply, error) {
			in := r.Params.InputResponses
			switch name, second := strings.CutPrefix(r.Params.RequestState, "second "); {
			case second:
				return textReply(fmt.Sprintf("%s likes %v", name, filled(in, "step2")["color"])), nil
			case r.Params.RequestState == "first":
				return &toolReply{RequestState: fmt.Sprint("second ", filled(in, "step1")["name"]), InputRequests: mcp.InputRequestMap{"step2": form("Which color?", "color string")}}, nil
			}
			return &toolReply{RequestState: "first", InputRequests: mcp.InputRequestMap{"step1": form("What is your name?", "name string")}}, nil
		},
		"test_input_required_result_capabilities": func(_ context.Context, r *toolCall) (*toolReply, error) {
			if len(r.Params.InputResponses) > 0 {
				return textReply("Answered."), nil
			}
			asks, caps := mcp.InputRequestMap{}, r.ClientCapabilities()
			if caps != nil && caps.Elicitation != nil {
				asks["user_name"] = form("What is your name?", "name string")
			}
			if caps != nil && caps.Sampling != nil {
				asks["greeting"] = sample("Greet.")
			}
			if caps != nil && (caps.RootsV2 != nil || caps.Roots.ListChanged) {
				asks["client_roots"] = &mcp.ListRootsParams{}
			}
			if len(asks) == 0 {
				return textReply("The client can answer nothing."), nil
			}
			return &toolReply{InputRequests: asks}, nil
		},
	}
}

// confirmed asks for a confirmation and accepts it only with the right
// state.
func confirmed(state string) func(context.Context, *toolCall) (*toolReply, error) {
	return func(_ context.Context, r *toolCall) (*toolReply, error) {
		switch given := r.Params.RequestState; {
		case given != "" && given != state:
			return nil, invalidState()
		case given == state && filled(r.Params.InputResponses, "confirm") != nil:
			return textReply("state-ok: confirmed"), nil
		}
		return &toolReply{RequestState: state, InputRequests: mcp.InputRequestMap{"confirm": form("Please confirm", "ok boolean")}}, nil
	}
}

var fixtureSchemas = map[string]string{
	"test_x_mcp_header": `{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"level":{"type":"integer"}}}`,
	"json_schema_2020_12_tool": `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",
		"$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},
		"properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"},"contactMethod":{"type":"string","enum":["phone","email"]},"phone":{"type":"string"},"email":{"type":"string"}},
		"allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],
		"if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},
		"then":{"required":["phone"]},"else":{"required":["email"]},"additionalProperties":false}`,
}

func newFixtures() http.Handler {
	nothing := func(context.Context, *mcp.SubscribeRequest) error { return nil }
	s := mcp.NewServer(&mcp.Implementation{Name: "fixtures", Version: "1"}, &mcp.ServerOptions{
		SubscribeHandler:   nothing,
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		CompletionHandler: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{}}}, nil
		},
	})
	for name, handler := range fixtureTools(s) {
		schema := fixtureSchemas[name]
		if schema == "" {
			schema = `{"type":"object"}`
		}
		s.AddTool(&mcp.Tool{Name: name, Description: name, InputSchema: json.RawMessage(schema)}, handler)
	}
	// These require requests from the server to the client, which don't
	// exist without sessions. They must fail visibly.
	for _, name := range []string{"test_sampling", "test_elicitation", "test_elicitation_sep1034_defaults", "test_elicitation_sep1330_enums"} {
		s.AddTool(&mcp.Tool{Name: name, Description: name, InputSchema: json.RawMessage(`{"type":"object"}`)}, func(context.Context, *toolCall) (*toolReply, error) {
			return nil, errors.New("not without a session")
		})
	}
	addFixtureTexts(s)
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{
		Stateless: true, DisableLocalhostProtection: true, PropagateRequestCancellation: true,
	})
}

func addFixtureTexts(s *mcp.Server) {
	for uri, content := range map[string]*mcp.ResourceContents{
		"test://static-text":      {MIMEType: "text/plain", Text: "A static text."},
		"test://static-binary":    {MIMEType: "image/png", Blob: onePixel().Data},
		"test://watched-resource": {MIMEType: "text/plain", Text: "Watched."},
	} {
		content.URI = uri
		s.AddResource(&mcp.Resource{Name: strings.TrimPrefix(uri, "test://"), URI: uri, MIMEType: content.MIMEType, Description: uri}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{content}}, nil
		})
	}
	s.AddResourceTemplate(&mcp.ResourceTemplate{Name: "template", URITemplate: "test://template/{id}/data", MIMEType: "application/json"}, func(_ context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		id := strings.TrimSuffix(strings.TrimPrefix(r.Params.URI, "test://template/"), "/data")
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, MIMEType: "application/json", Text: `{"id":"` + id + `"}`}}}, nil
	})
	answer := func(content ...mcp.Content) *mcp.GetPromptResult {
		r := &mcp.GetPromptResult{Description: "a prompt"}
		for _, c := range content {
			r.Messages = append(r.Messages, &mcp.PromptMessage{Role: "user", Content: c})
		}
		return r
	}
	s.AddPrompt(&mcp.Prompt{Name: "test_simple_prompt", Description: "simple"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return answer(&mcp.TextContent{Text: "A simple prompt."}), nil
	})
	s.AddPrompt(&mcp.Prompt{Name: "test_prompt_with_arguments", Description: "arguments", Arguments: []*mcp.PromptArgument{{Name: "arg1", Description: "first", Required: true}, {Name: "arg2", Description: "second", Required: true}}}, func(_ context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return answer(&mcp.TextContent{Text: r.Params.Arguments["arg1"] + " and " + r.Params.Arguments["arg2"]}), nil
	})
	s.AddPrompt(&mcp.Prompt{Name: "test_prompt_with_embedded_resource", Description: "embedded", Arguments: []*mcp.PromptArgument{{Name: "resourceUri", Description: "address", Required: true}}}, func(_ context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return answer(embedded(r.Params.Arguments["resourceUri"]), &mcp.TextContent{Text: "Read it."}), nil
	})
	s.AddPrompt(&mcp.Prompt{Name: "test_prompt_with_image", Description: "image"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return answer(onePixel(), &mcp.TextContent{Text: "Look."}), nil
	})
	s.AddPrompt(&mcp.Prompt{Name: "test_input_required_result_prompt", Description: "asks"}, func(_ context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		if in := filled(r.Params.InputResponses, "user_context"); in != nil {
			return answer(&mcp.TextContent{Text: fmt.Sprint(in["context"])}), nil
		}
		return &mcp.GetPromptResult{InputRequests: mcp.InputRequestMap{"user_context": form("Which context?", "context string")}}, nil
	})
}
