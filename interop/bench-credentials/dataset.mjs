// What is issued and asked for, alike on both sides.

/** The dataset of every credential: seven disclosures, one of them asked for later, with the one that holds it. */
export const CLAIMS = {
  given_name: 'Ana',
  family_name: 'Specimen',
  birthdate: '2001-02-03',
  degree: { type: 'BSc', subject: 'Cartography' },
  graduated_on: '2024-06-30',
}

/** What of it is selectively disclosable: everything, as our type `diploma` has it. */
export const FRAME = {
  _sd: ['given_name', 'family_name', 'birthdate', 'degree', 'graduated_on'],
  degree: { _sd: ['type', 'subject'] },
}

/** The query of every presentation. */
export const query = (vct) => ({
  credentials: [{ id: 'd', format: 'dc+sd-jwt', meta: { vct_values: [vct] }, claims: [{ path: ['degree', 'type'] }] }],
})

/** Names of the disclosures that answer it. */
export const SHOWN = ['degree', 'type']
