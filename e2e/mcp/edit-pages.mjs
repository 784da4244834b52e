import assert from "node:assert/strict";

// createAndEditPage creates and edits a page in ada's wiki as an agent does, and
// checks the result.
export async function createAndEditPage(service, client, name) {
  const call = async (tool, args) => {
    const result = await client.callTool({ name: tool, arguments: args });
    assert.ok(!result.isError, `${tool}: ${JSON.stringify(result)}`);
    return result.content[0].text;
  };
  const tools = await client.listTools();
  assert.equal(tools.tools.length, 16);
  assert.match(await call("wiki_overview", {}), /You can read and edit/);
  await call("create_page", { path: name, content: "# " + name + "\n\n- one\n", message: "Begin" });
  const edited = await call("edit_page", { path: name, edits: [{ op: "append", text: "- two" }], message: "Add two" });
  assert.match(edited, /\+- two/);
  const page = await service.pageContent("ada", name);
  assert.equal(page, `# ${name}\n\n- one\n- two\n`);
  assert.match(await call("changes", { path: name }), /via /);
}
