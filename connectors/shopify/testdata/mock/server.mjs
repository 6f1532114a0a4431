// Answers any valid GraphQL request by the schema whose file is the first argument, with invented values: nulls wherever
// the schema allows them, lists of any length, odd texts and numbers. What it answers depends on the seed alone.
//
//   POST /seed/7           begin anew with seed 7; with ?pages=chance pages go on as chance will have it, with
//                          ?pages=still they go on for ever, at a cursor that never moves
//   POST any other path    a GraphQL request
//
// It listens on a free port of this machine, prints the port, and ends when its input is closed.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { addMocksToSchema, createMockStore } from "@graphql-tools/mock";
import { makeExecutableSchema } from "@graphql-tools/schema";
import {
  defaultFieldResolver, execute, isListType, isNonNullType, isObjectType, isScalarType, parse, validate,
} from "graphql";

const base = makeExecutableSchema({ typeDefs: readFileSync(process.argv[2], "utf8") });
const pages = 3; // of every list that is read in pages, unless they are to go on otherwise
const nulls = 0.2; // share of nulls where they are allowed

// chance is a small generator of numbers in [0, 1).
function chance(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const pick = (list) => list[Math.floor(Math.random() * list.length)];
const id = (type) => `gid://shopify/${type}/${1 + Math.floor(Math.random() * 1e12)}`;
const time = () => new Date(1.5e12 + Math.floor(Math.random() * 2.7e11)).toISOString().replace(/\.\d+Z$/, "Z");

const scalars = {
  ARN: () => "arn:aws:events:eu-west-1::event-source/x",
  BigInt: () => String(Math.floor(Math.random() * 1e15)),
  Boolean: () => Math.random() < 0.5,
  Color: () => "#a1b2c3",
  Date: () => time().slice(0, 10),
  DateTime: () => pick([time(), time(), time(), "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]),
  Decimal: () => pick(["0.0", "10.0", "19.95", "-3.5", "0.001", "1234567.89", "30.00", "999999999999.999"]),
  Float: () => pick([0, 1.5, -2.25, 1e9]),
  FormattedString: () => "<b>text</b>",
  HTML: () => "<p>text</p>",
  ID: () => id("Thing"),
  Int: () => pick([0, 1, 2, 3, 7, -1, 2147483647]),
  JSON: () => pick([{}, [], "text", 1, { a: null }]),
  Money: () => "12.34",
  StorefrontID: () => "Z2lkOi8vc2hvcGlmeQ==",
  String: () => pick(["", " ", "text", "Émile Ångström 漢字 🙂", "a,b;c\"d'e\\f", "line\nline\ttab", "nul\u0000byte", "x".repeat(300)]),
  UnsignedInt64: () => String(Math.floor(Math.random() * 1e6)),
  URL: () => "https://shop.example/path?x=1",
  UtcOffset: () => "+02:00",
};

// mocks names a value for every scalar, a global id for everything that has one, and few currencies.
function mocks() {
  const all = { ...scalars };
  for (const type of Object.values(base.getTypeMap())) {
    if (isObjectType(type) && type.getFields().id) {
      all[type.name] = () => ({ id: id(type.name) });
    }
    if (type.name.endsWith("Connection")) {
      all[type.name] = () => {
        const length = pick([0, 1, 3, 10]);
        return { nodes: Array(length).fill(undefined), edges: Array(length).fill(undefined) };
      };
    }
    if (isScalarType(type) && !all[type.name]) {
      throw new Error(`no values for the scalar ${type.name}`);
    }
  }
  all.CurrencyCode = () => (Math.random() < 0.9 ? "EUR" : pick(["USD", "JPY", "BHD", "XXX"]));
  all.Count = () => ({ count: 3 });
  return all;
}

// typed answers node and nodes with things of the type that the id names.
function typed(store) {
  const get = (gid) => {
    const type = base.getType(String(gid).split("/")[3] ?? "");
    return isObjectType(type) && type.getFields().id ? store.get(type.name, gid) : null;
  };
  return { QueryRoot: { node: (_, { id }) => get(id), nodes: (_, { ids }) => ids.map(get) } };
}

// unsettle lets chance put nulls and lists of other lengths into what the fields of a schema answer.
function unsettle(schema, paging) {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith("__")) continue;
    for (const field of Object.values(type.getFields())) {
      const resolve = field.resolve ?? defaultFieldResolver;
      const nullable = !isNonNullType(field.type);
      const bare = nullable ? field.type : field.type.ofType;
      field.resolve = (parent, args, context, info) => {
        if (type.name === "PageInfo" && paging === "still") return field.name.startsWith("has") ? true : "still";
        if (type.name === "PageInfo" && paging !== "chance") return page(field.name, info);
        const root = type === schema.getQueryType() || type === schema.getMutationType();
        if (nullable && !root && Math.random() < nulls) return null;
        const found = resolve(parent, args, context, info);
        if (!isListType(bare) || root || type.name.endsWith("Connection")) return found;
        return Promise.resolve(found).then((list) => list && list.slice(0, Math.floor(Math.random() * (list.length + 1))));
      };
    }
  }
  return schema;
}

// page answers for a connection that it has a few pages: the cursor counts them.
function page(name, info) {
  const after = info.variableValues[afterVariable(info)] ?? "page 0";
  const number = Number(String(after).replace("page ", "")) || 0;
  switch (name) {
    case "hasNextPage": return number + 1 < pages;
    case "hasPreviousPage": return number > 0;
    default: return `page ${number + 1}`;
  }
}

// afterVariable is the variable from which the connection around a pageInfo takes its cursor.
function afterVariable(info) {
  const steps = [];
  for (let at = info.path.prev.prev; at; at = at.prev) if (typeof at.key === "string") steps.unshift(at.key);
  let fields = info.operation.selectionSet.selections;
  let found;
  for (const step of steps) {
    found = named(fields, step, info.fragments);
    fields = found?.selectionSet?.selections ?? [];
  }
  const after = found?.arguments?.find((argument) => argument.name.value === "after");
  return after?.value.name?.value;
}

function named(fields, name, fragments) {
  for (const field of fields) {
    if (field.kind === "Field") {
      if ((field.alias ?? field.name).value === name) return field;
      continue;
    }
    const inner = field.kind === "FragmentSpread" ? fragments[field.name.value] : field;
    const found = named(inner.selectionSet.selections, name, fragments);
    if (found) return found;
  }
  return undefined;
}

let schema;
function begin(seed, paging) {
  Math.random = chance(seed);
  const store = createMockStore({ schema: base, mocks: mocks() });
  schema = unsettle(addMocksToSchema({ schema: base, store, resolvers: typed }), paging);
}

async function answer(request) {
  const url = new URL(request.url, "http://localhost");
  const seed = /^\/seed\/(\d+)$/.exec(url.pathname);
  if (seed) {
    begin(Number(seed[1]), url.searchParams.get("pages"));
    return {};
  }
  let body = "";
  for await (const part of request) body += part;
  const { query, variables } = JSON.parse(body);
  const document = parse(query);
  const errors = validate(base, document);
  if (errors.length > 0) return { errors };
  return execute({ schema, document, variableValues: variables ?? {} });
}

const server = createServer((request, response) => {
  answer(request).then(
    (value) => response.setHeader("Content-Type", "application/json").end(JSON.stringify(value)),
    (error) => response.writeHead(500, { "Content-Type": "text/plain" }).end(String(error?.stack ?? error)),
  );
});
begin(1, null);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit(0));
