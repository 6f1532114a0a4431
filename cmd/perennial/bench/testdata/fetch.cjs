// Fetches the requests listed in a file through the official client, one after the other, and counts the records.
const { createRequire } = require('module')
const fs = require('fs')

const [, , modules, url, key, secret, list] = process.argv
const WooCommerce = createRequire(modules + '/')('@woocommerce/woocommerce-rest-api').default

async function main () {
  const api = new WooCommerce({ url, consumerKey: key, consumerSecret: secret, version: 'wc/v3' })
  let records = 0
  for (const { path, query } of JSON.parse(fs.readFileSync(list, 'utf8'))) {
    const answer = await api.get(path, query)
    if (Array.isArray(answer.data)) records += answer.data.length
  }
  console.log(records)
}

main().catch(error => { console.error(error.message); process.exit(1) })
