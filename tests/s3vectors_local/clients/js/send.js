// Reads [[name, input], ...] from stdin, sends each, and prints a line of JSON for each: what came back, or the error.
// "QueryVectors" is a command; "paginateListVectors" gathers the pages of a paginator.
import { readFileSync } from "node:fs";
import * as sdk from "@aws-sdk/client-s3vectors";

const client = new sdk.S3VectorsClient();

async function send(name, input) {
  if (!name.startsWith("paginate")) {
    const { $metadata, ...output } = await client.send(new sdk[`${name}Command`](input));
    return output;
  }
  const pages = [];
  for await (const { $metadata, ...page } of sdk[name]({ client }, input)) pages.push(page);
  return pages;
}

for (const [name, input] of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    console.log(JSON.stringify(await send(name, input)));
  } catch (error) {
    const { message, fieldList, $metadata } = error;
    console.log(JSON.stringify({ error: error.name, status: $metadata?.httpStatusCode, message, fieldList }));
  }
}
