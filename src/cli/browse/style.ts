/** How text looks, by what it is; which colours that takes is the screen's business. */
export type Style = 'bold' | 'dim' | 'folder' | 'link' | 'marked' | 'added' | 'removed' | 'warning'
